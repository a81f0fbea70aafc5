"""The address of a mail server."""

import pytest

from deviceflow.core.smtp_url import SmtpUrl, is_smtp_url


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("smtp://mail.example.com", SmtpUrl("mail.example.com", 587, "", "", is_tls=False)),
        ("smtps://mail.example.com", SmtpUrl("mail.example.com", 465, "", "", is_tls=True)),
        ("smtp://a%40b:p%2Fw@[::1]:25/", SmtpUrl("::1", 25, "a@b", "p/w", is_tls=False)),
    ],
)
def test_parts(text: str, expected: SmtpUrl) -> None:
    assert SmtpUrl.parse(text) == expected


def test_where_tls_is_needed() -> None:
    assert SmtpUrl.parse("smtp://mail.example.com").needs_starttls
    assert not SmtpUrl.parse("smtps://mail.example.com").needs_starttls
    for host in ("127.0.0.1", "[::1]", "localhost"):
        assert not SmtpUrl.parse(f"smtp://{host}").needs_starttls


@pytest.mark.parametrize(
    "text",
    [
        *("", "mail.example.com", "http://mail.example.com", "smtp://", "smtp://h:x"),
        *("smtp://h/p", "smtp://h?q=secret", "smtp://[h"),
    ],
)
def test_what_is_none(text: str) -> None:
    assert not is_smtp_url(text)
    with pytest.raises(ValueError, match=r"URL|path") as refusal:
        SmtpUrl.parse(text)
    assert "secret" not in str(refusal.value)
