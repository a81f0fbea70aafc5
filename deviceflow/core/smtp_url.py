"""The address of a mail server: `smtp://USER:PASSWORD@HOST:PORT` or `smtps://...`."""

from typing import NamedTuple, Self
from urllib.parse import unquote, urlsplit

from deviceflow.core.address import is_loopback

_PORTS = {"smtp": 587, "smtps": 465}


class SmtpUrl(NamedTuple):
    """A mail server. `is_tls`: TLS from the first byte. Otherwise STARTTLS (RFC 3207) is needed.

    Only a server on this host may do without TLS.
    """

    host: str
    port: int
    username: str
    password: str
    is_tls: bool

    @property
    def needs_starttls(self) -> bool:
        """Whether to begin TLS by a command."""
        return not self.is_tls and not is_loopback(self.host)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an address. Raises ValueError, whose text has no secret in it."""
        try:
            parts = urlsplit(text)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise ValueError("no URL") from None
        if parts.scheme not in _PORTS or not host:
            raise ValueError("no smtp:// or smtps:// URL with a host")
        if parts.path not in {"", "/"} or parts.query or parts.fragment:
            raise ValueError("a path, a query or a fragment")
        return cls(
            host,
            port or _PORTS[parts.scheme],
            unquote(parts.username or ""),
            unquote(parts.password or ""),
            parts.scheme == "smtps",
        )


def is_smtp_url(text: str) -> bool:
    """Return whether `text` is the address of a mail server."""
    try:
        SmtpUrl.parse(text)
    except ValueError:
        return False
    return True
