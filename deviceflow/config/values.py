"""The types of single settings. Each carries its own rule and description.

`deviceflow.config.reading` reads them, with the `rule` and `secret` of their `extra`.
"""

import re
from typing import Annotated
from urllib.parse import unquote, urlsplit

from msgspec import Meta

from deviceflow.core.address import is_loopback, is_network
from deviceflow.core.client_values import DisplayName
from deviceflow.core.envelope_key import EXPECTED_KEY, is_key
from deviceflow.core.origin import host_in_url, is_written_as_in_browsers
from deviceflow.core.smtp_url import is_smtp_url


def is_issuer(text: str) -> bool:
    """Return whether a URL can be the issuer.

    RFC 8414 2 asks for https and forbids a query and a fragment. RFC 8628 3.1 asks for TLS, so
    http is only for loopback. A slash at the end is refused, because clients compare the issuer
    byte by byte and append paths to it. So is a host that browsers write in another way: every form
    of a page would come from another origin.
    """
    if not re.fullmatch(r"https?://[A-Za-z0-9._~:/\[\]!$&'()*+,;=%-]+", text) or text[-1] in "/:":
        return False
    if not _is_routable(text):
        return False
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or not is_written_as_in_browsers(host):
        return False
    return parts.scheme == "https" or is_loopback(host)


def _is_routable(url: str) -> bool:
    """Return whether the percent-encoding of `url` has one meaning only.

    An encoded slash, percent sign or control character is read in different ways by proxies and
    routers, and braces mean something in a route.
    """
    if re.search(r"%(?![0-9A-Fa-f]{2})|%(2F|25|7B|7D|7F|[01].)", url, re.IGNORECASE):
        return False
    try:
        unquote(url, errors="strict")
    except UnicodeDecodeError:
        return False
    return True


NO_PROXIES = "none"
"""The only entry of `server.trusted_proxies` if no proxy says where a request comes from."""


def _is_network(text: str) -> bool:
    return text == NO_PROXIES or is_network(text)


Issuer = Annotated[
    str,
    Meta(
        description='an https:// URL without a query, a fragment or a "/" at the end'
        " (http:// only for 127.0.0.1, [::1] or localhost), its host as browsers write it",
        extra={"rule": is_issuer},
    ),
]
RedisUrl = Annotated[
    str,
    Meta(
        description="the URL of a Redis or Valkey",
        # `section_rules` says which part is wrong, and shows nothing of it.
        extra={"secret": True},
    ),
]
NetworkText = Annotated[
    str,
    Meta(
        description='an address or network such as "10.0.0.0/8", with no bits set behind the "/8"'
        ' (or "none" alone)',
        extra={"rule": _is_network},
    ),
]


def _is_cors_origin(text: str) -> bool:
    """Return whether a browser may send `text` as an Origin (RFC 6454 7, Fetch 3.2)."""
    if text in {"*", "null"}:
        return True
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or host.endswith("."):
        return False
    is_default = (parts.scheme, port) in {("http", 80), ("https", 443)}
    written = f"{parts.scheme}://{host_in_url(host)}" + (f":{port}" if port is not None else "")
    return text == written and not is_default and text.isascii()


CorsOrigin = Annotated[
    str,
    Meta(
        pattern=r"\A[\x21-\x2b\x2d-\x7e]{1,255}\Z",
        description='an origin as browsers send it, such as "https://tv.example.com" (no path, no'
        ' default port), "null" for pages without an origin, or "*" for all',
        extra={"rule": _is_cors_origin},
    ),
]
HeaderName = Annotated[
    str,
    Meta(
        pattern=r"\A[A-Za-z0-9](-?[A-Za-z0-9]){0,99}\Z",
        description="the name of a header: letters, digits and hyphens",
    ),
]
Host = Annotated[
    str,
    Meta(
        pattern=r"\A[0-9A-Za-z.:%_-]+\Z", description='an address or host name, "0.0.0.0" for all'
    ),
]
Folder = Annotated[str, Meta(pattern=r"\A[^\x00]+\Z", description="the path of a folder")]
ShortAddress = Annotated[
    str,
    Meta(
        pattern=r"\A.{1,40}\Z",
        description='an https:// URL of up to 40 characters without a query, a fragment or a "/" at'
        " the end (http:// only for 127.0.0.1, [::1] or localhost)",
        extra={"rule": is_issuer},
    ),
]
"""A person types it from a screen across the room."""

Colour = Annotated[
    str,
    Meta(
        pattern=r"\A#[0-9A-Fa-f]{6}\Z",
        description='a colour: "#" and six hexadecimal digits, such as "#2f4fd0"',
    ),
]
FilePath = Annotated[str, Meta(pattern=r"\A[^\x00]+\Z", description="the path of a file")]
EnvelopeKey = Annotated[str, Meta(description=EXPECTED_KEY, extra={"rule": is_key, "secret": True})]
Argument = Annotated[
    str, Meta(pattern=r"\A[^\x00]+\Z", description="a command and its arguments, as a list")
]
HostName = Annotated[
    str,
    Meta(
        pattern=r"\A(?=.{1,253}\Z)([a-z0-9_]([a-z0-9_-]*[a-z0-9_])?\.?)+\Z|\A\[[0-9a-f:.]+\]\Z",
        description='a host name or address as a browser shows it, such as "admin.example.com"'
        ' (lower case, no port, IPv6 as "[::1]")',
    ),
]
Port = Annotated[int, Meta(ge=0, le=65_535)]
SubjectIdentifier = Annotated[
    str, Meta(pattern=r"\A[\x21-\x7e]{1,255}\Z", description="1 to 255 ASCII characters, no spaces")
]


def _is_webhook(text: str) -> bool:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or not text.isascii() or not text.isprintable() or " " in text:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))


WebhookUrl = Annotated[
    str,
    Meta(
        description="an https:// URL (http:// only for 127.0.0.1, [::1] or localhost)",
        extra={"rule": _is_webhook, "secret": True},
    ),
]
WebhookSecret = Annotated[
    str,
    Meta(
        pattern=r"\A[\x21-\x7e]{32,}\Z",
        description="at least 32 ASCII characters without spaces",
        extra={"secret": True},
    ),
]
MailServer = Annotated[
    str,
    Meta(
        description='the URL of a mail server, such as "smtp://user:password@mail.example.com:587"'
        ' or "smtps://..."',
        extra={"rule": is_smtp_url, "secret": True},
    ),
]

LanguageTag = Annotated[
    str,
    Meta(
        pattern=r"\A[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?\Z",
        description='the tag of a language, such as "de", "pt-BR" or "zh-Hans"',
    ),
]
Words = DisplayName | dict[LanguageTag, DisplayName]
"""Text for people: one for all languages, or one for each. The first stands for all others."""
Email = Annotated[str, Meta(pattern=r"\A[^@\s]+@[^@\s]+\Z", description="an e-mail address")]
PasswordHash = Annotated[
    str,
    Meta(
        pattern=r"\A\$argon2id\$[\x21-\x7e]+\Z",
        description='an Argon2id hash, which starts with "$argon2id$"',
        extra={"secret": True},
    ),
]
