"""Mail to people: what they read, and which refusals are final."""

import smtplib

import pytest

from deviceflow.notices.mail import MailChannel, MailText
from deviceflow.notices.notice import Notice, NoticeNotSent
from tests.stage.mail import MailServer


def write(notice: Notice, link: str) -> MailText:
    return MailText(f"New: {notice.client_name}", f"Here: {link}\n")


async def test_a_mail_is_delivered(notice: Notice) -> None:
    async with MailServer().running() as server:
        channel = MailChannel(server.url, "devices@example.com", write)
        async with channel.open():
            await channel.send(notice, "https://login.example.com/x")
    (message,) = server.messages
    assert server.recipients == ["ada@example.com"]
    assert message["To"] == "ada@example.com"
    assert message["From"] == "devices@example.com"
    assert message["Subject"] == "New: Living-room TV"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"].endswith("@example.com>")
    assert "https://login.example.com/x" in message.get_content()


async def test_a_person_without_an_address_gets_none(notice: Notice) -> None:
    channel = MailChannel("smtp://127.0.0.1:1", "devices@example.com", write)
    without = Notice(
        **{name: getattr(notice, name) for name in notice.__struct_fields__} | {"email": None}
    )
    await channel.send(without, "")


@pytest.mark.parametrize(("refusal", "is_final"), [("550 unknown", True), ("450 try later", False)])
async def test_a_recipient_who_is_refused(notice: Notice, refusal: str, *, is_final: bool) -> None:
    async with MailServer(refusal=refusal).running() as server:
        channel = MailChannel(server.url, "devices@example.com", write)
        with pytest.raises(NoticeNotSent, match="recipient") as refused:
            await channel.send(notice, "")
    assert refused.value.is_final is is_final
    assert "ada" not in str(refused.value)


async def test_a_server_that_is_away(notice: Notice) -> None:
    channel = MailChannel("smtp://127.0.0.1:1", "devices@example.com", write)
    with pytest.raises(NoticeNotSent, match="ConnectionRefusedError") as refused:
        await channel.send(notice, "")
    assert not refused.value.is_final


async def test_no_mail_goes_to_another_host_without_tls(
    notice: Notice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does a password: the server here offers no STARTTLS."""
    async with MailServer().running() as server:
        channel = MailChannel(f"smtp://u:p@localhost:{server.port}", "d@example.com", write)
        remote = channel._server._replace(host="mail.example.com")
        assert remote.needs_starttls
        real = smtplib.SMTP
        monkeypatch.setattr(
            smtplib, "SMTP", lambda _, port, timeout: real("127.0.0.1", port, timeout=timeout)
        )
        channel._server = remote
        with pytest.raises(NoticeNotSent, match="SMTPNotSupportedError"):
            await channel.send(notice, "")
    assert server.messages == []
