"""The values of a client's fields: each type carries its own rule, and says it to people."""

import re
from typing import Annotated

from msgspec import Meta

from deviceflow.core.address import is_network
from deviceflow.core.display_text import is_display_text

ClientId = Annotated[
    str,
    Meta(
        pattern=r"\A[\x21-\x7e]{1,100}\Z",
        description="1 to 100 printable ASCII characters without spaces",
    ),
]

# RFC 6749 3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E )
ScopeToken = Annotated[
    str,
    Meta(
        pattern=r"\A[\x21\x23-\x5b\x5d-\x7e]+\Z",
        description="a scope: printable ASCII without spaces, quotes and backslashes",
    ),
]

SecretDigest = Annotated[
    str,
    Meta(
        pattern=r"\A[0-9a-f]{64}\Z",
        description="the SHA-256 of the secret: 64 digits and lower-case letters a to f",
        extra={"secret": True},
    ),
]

DisplayName = Annotated[
    str,
    Meta(
        pattern=r"\A[^\x00-\x20\x7f]([^\x00-\x1f\x7f]{0,98}[^\x00-\x20\x7f])?\Z",
        description="1 to 100 characters on one line, with no space at either end and something"
        " to see; none that is invisible or turns the direction of writing",
        extra={"rule": is_display_text},
    ),
]
"""Text for people. Every source of such text applies the rule; a stored record, read by the
pattern alone, may be from before there was one."""

Audience = Annotated[
    str, Meta(pattern=r"\A[\x21-\x7e]{1,255}\Z", description="the address or name of an API")
]

Resource = Annotated[
    str,
    Meta(
        pattern=r"\A[A-Za-z][A-Za-z0-9+.-]*:[\x21\x22\x24-\x7e]+\Z",
        description="an absolute URI without a fragment",
    ),
]
"""RFC 8707 2."""

SubjectName = Annotated[
    str, Meta(pattern=r"\A[^\x00-\x1f\x7f]{1,500}\Z", description="a distinguished name (RFC 4514)")
]

SignInAge = Annotated[int, Meta(ge=30, le=2_592_000)]

_WEB_PAGE = r"\Ahttps://[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?([/?#][\x21-\x7e]{0,500})?\Z"

WebPage = Annotated[
    str,
    Meta(
        pattern=_WEB_PAGE,
        description="the https:// address of a page, without a user name",
    ),
]

ImagePath = Annotated[
    str, Meta(pattern=r"\A[^\x00]+\Z", description="the path of a picture: PNG, JPEG or WebP")
]

ClientNetwork = Annotated[
    str,
    Meta(
        description='an address or network such as "10.0.0.0/8", with no bits set behind the "/8"',
        extra={"rule": is_network},
    ),
]

ApprovalsPerHour = Annotated[int, Meta(ge=1, le=100_000)]

Lifetime = Annotated[int, Meta(ge=1, le=86_400)]
Interval = Annotated[int, Meta(ge=1, le=3_600)]
Limit = Annotated[int, Meta(ge=0, le=100_000_000)]
"""A number of grants; 0 for no limit."""


def is_web_page(value: object) -> bool:
    """Return whether `value` is a `WebPage`."""
    return isinstance(value, str) and re.fullmatch(_WEB_PAGE, value) is not None
