"""Notices by mail (RFC 5321), to people who have an address."""

import asyncio
import smtplib
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import NamedTuple

from deviceflow.core.smtp_url import SmtpUrl
from deviceflow.notices.notice import Notice, NoticeNotSent

SMTP_TIMEOUT_S = 10.0

_PERMANENT = range(500, 600)


class MailText(NamedTuple):
    """What a person reads. `language`: the tag (RFC 5646) of the language that it is in."""

    subject: str
    body: str
    language: str


WriteMail = Callable[[Notice, str], MailText]
"""Writes the text of a notice with its link."""


class MailChannel:
    """Sends notices by the mail server at `url`, from `sender`, in the words of `write`."""

    name = "mail"

    def __init__(self, url: str, sender: str, write: WriteMail) -> None:
        self._server = SmtpUrl.parse(url)
        self._sender = sender
        self._write = write

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Do nothing: each mail has a connection of its own."""
        yield

    async def send(self, notice: Notice, link: str) -> None:
        """Send a notice to the person, if the person has an address. May raise NoticeNotSent."""
        if not notice.email:
            return
        message = self._message(notice, link)
        try:
            await asyncio.to_thread(self._deliver, message)
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            is_final = all(code in _PERMANENT for code in codes)
            raise NoticeNotSent("the recipient is refused", is_final=is_final) from error
        except smtplib.SMTPResponseException as error:
            is_final = error.smtp_code in _PERMANENT
            raise NoticeNotSent(f"status {error.smtp_code}", is_final=is_final) from error
        except (smtplib.SMTPException, OSError) as error:
            raise NoticeNotSent(type(error).__name__) from error

    def _message(self, notice: Notice, link: str) -> EmailMessage:
        text = self._write(notice, link)
        # Its policy writes what is not ASCII as encoded words (RFC 2047), and wraps long lines.
        message = EmailMessage()
        message["Subject"] = " ".join(text.subject.splitlines())  # a line break ends a header
        message["From"] = self._sender
        _address(message, notice.email or "")
        message["Date"] = formatdate(notice.connected_at)
        message["Message-ID"] = make_msgid(domain=self._sender.rpartition("@")[2])
        # RFC 3834 5: no out-of-office reply to this.
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text.body)
        message["Content-Language"] = text.language  # RFC 3282
        return message

    def _deliver(self, message: EmailMessage) -> None:
        server, timeout = self._server, SMTP_TIMEOUT_S
        context = ssl.create_default_context()
        client = (
            smtplib.SMTP_SSL(server.host, server.port, timeout=timeout, context=context)
            if server.is_tls
            else smtplib.SMTP(server.host, server.port, timeout=timeout)
        )
        with client:
            if server.needs_starttls:
                client.starttls(context=context)
            if server.username:
                client.login(server.username, server.password)
            client.send_message(message)


def _address(message: EmailMessage, email: str) -> None:
    """Send a message to one address. Raises NoticeNotSent if `email` is none, or several."""
    try:
        message["To"] = email
    except ValueError as error:  # a line break
        raise NoticeNotSent("the address is malformed", is_final=True) from error
    found = [each.addr_spec for each in message["To"].addresses]
    if found != [email] or not email.isprintable():
        raise NoticeNotSent("the address is malformed", is_final=True)
