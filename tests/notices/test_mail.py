"""Mail to people: what they read, and which refusals are final."""

import smtplib
from email import message_from_bytes, policy

import msgspec
import pytest

from deviceflow.notices.mail import MailChannel, MailText
from deviceflow.notices.notice import Notice, NoticeNotSent
from tests.stage.mail import MailServer


def write(notice: Notice, link: str) -> MailText:
    return MailText(f"New: {notice.client_name}", f"Here: {link}\n", notice.language)


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
    assert message["Content-Language"] == "de"
    assert "https://login.example.com/x" in message.get_content()


async def test_what_is_not_ascii_is_encoded_and_wrapped(notice: Notice) -> None:
    """RFC 2047, RFC 5322 2.1.1: a mail server need not know UTF-8 or long lines."""
    name, words = "居間のテレビ" * 12, "あなたが接続したのであれば、何もする必要はありません。" * 9
    channel = MailChannel(
        "smtp://127.0.0.1:1", "devices@example.com", lambda *_: MailText(name, words, "ja")
    )
    message = channel._message(notice, "")
    lines = message.as_bytes().splitlines()
    assert all(line.isascii() and len(line) <= 78 for line in lines)
    read = message_from_bytes(message.as_bytes(), policy=policy.default)
    assert read["Subject"] == name
    assert read.get_content().strip() == words


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\u2028", "\x85", "\x0b"])
def test_a_subject_adds_no_header(notice: Notice, end: str) -> None:
    """Nor does it fail: the person is told."""
    subject = f"New: TV{end}Bcc: eve@example.com{end}{end}Come here"
    channel = MailChannel(
        "smtp://127.0.0.1:1", "devices@example.com", lambda *_: MailText(subject, "Text\n", "en")
    )
    sent = channel._message(notice, "").as_bytes()
    read = message_from_bytes(sent, policy=policy.default)
    assert "Bcc" not in read
    assert read["Subject"].startswith("New: TV Bcc: eve@example.com")
    assert read.get_content() == "Text\n"


@pytest.mark.parametrize(
    "email",
    [
        *("ada@example.com\r\nBcc: eve@example.com", "eve@example.org, ada@example.com"),
        *("eve,ada@example.com", "eve;ada@example.com", "<eve>ada@example.com", "a\0@b"),
    ],
)
async def test_a_notice_goes_to_one_address(notice: Notice, email: str) -> None:
    other = msgspec.structs.replace(notice, email=email)
    channel = MailChannel("smtp://127.0.0.1:1", "devices@example.com", write)
    with pytest.raises(NoticeNotSent, match="malformed") as refused:
        await channel.send(other, "")
    assert refused.value.is_final


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
