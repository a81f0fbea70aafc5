"""The types of single settings. Each carries its own rule and description.

`deviceflow.config.reading` reads them, with the `rule` and `secret` of their `extra`.
"""

import ipaddress
import re
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta

from deviceflow.core.address import is_loopback
from deviceflow.core.origin import is_written_as_in_browsers


def is_issuer(text: str) -> bool:
    """Return whether a URL can be the issuer.

    RFC 8414 2 asks for https and forbids a query and a fragment. RFC 8628 3.1 asks for TLS, so
    http is only for loopback. A slash at the end is refused, because clients compare the issuer
    byte by byte and append paths to it. So is a host that browsers write in another way: every form
    of a page would come from another origin.
    """
    if not re.fullmatch(r"https?://[A-Za-z0-9._~:/\[\]!$&'()*+,;=%-]+", text) or text[-1] in "/:":
        return False
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or not is_written_as_in_browsers(host):
        return False
    return parts.scheme == "https" or is_loopback(host)


def _is_redis_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if parts.scheme == "unix":
        return len(parts.path) > 1
    return parts.scheme in {"redis", "rediss"} and bool(host)


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


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
        description="redis://HOST:PORT, rediss://HOST:PORT or unix:///PATH",
        extra={"rule": _is_redis_url, "secret": True},
    ),
]
NetworkText = Annotated[
    str,
    Meta(
        description='an address or network such as "10.0.0.0/8", with no bits set behind the "/8"',
        extra={"rule": _is_network},
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
Port = Annotated[int, Meta(ge=0, le=65_535)]
SubjectIdentifier = Annotated[
    str, Meta(pattern=r"\A[\x21-\x7e]{1,255}\Z", description="1 to 255 ASCII characters, no spaces")
]
Email = Annotated[str, Meta(pattern=r"\A[^@\s]+@[^@\s]+\Z", description="an e-mail address")]
PasswordHash = Annotated[
    str,
    Meta(
        pattern=r"\A\$argon2id\$[\x21-\x7e]+\Z",
        description='an Argon2id hash, which starts with "$argon2id$"',
        extra={"secret": True},
    ),
]
