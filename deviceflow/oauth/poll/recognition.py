"""Recognise a poll in the bytes that arrived: one complete, ordinary token request.

The lane must never read a request differently from aiohttp. So it takes only what leaves no room
for a second reading; in the grammar of RFC 9110 and RFC 9112:

    request  =  "POST" SP path SP "HTTP/1.1" CRLF  *( header CRLF )  CRLF  body
    header   =  token ":" OWS value OWS       at most 64 headers, 4096 bytes with the first line
    body     =  a form of grant_type, device_code, client_id and perhaps code_verifier, each once,
                in any order, with no value that has to be decoded; at most 1024 bytes

- `Host` is there, `Content-Type` is that of a form (with any charset, which `oauth/form.py` does
  not look at either), `Content-Length` gives the length.
- A header that changes where a request ends, how it is authenticated or what it means
  (`_ORDINARY_ONLY`) is not there. A header that aiohttp refuses when doubled (`_ONCE`) is not
  doubled.
- `Connection` is absent, `keep-alive` or `close`; `Prefer` is absent or exactly `wait=N`.

Everything else gives None and goes to aiohttp, byte for byte. To recognise too little costs time
and nothing else. To recognise more than aiohttp accepts would let a sender hide one request
inside another (request smuggling), so a doubt is always decided against the lane.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from deviceflow.core.messages import DEVICE_CODE_GRANT

MAX_HEAD = 4096
MAX_BODY = 1024
MAX_LANE_HEADERS = 64

HEAD_END = b"\r\n\r\n"
DEVICE_CODE = b"device_code="
CODE_VERIFIER = b"code_verifier="
_CLIENT_ID = b"client_id="

# GET too: `read_head` also tells the connection where a request that the lane leaves ends.
_LINE = re.compile(rb"(?:GET|POST) /[\x21-\x7e]* HTTP/1\.1")
_HEADER = re.compile(
    # Possessive (`*+`): with backtracking, a value of nothing but blanks would take n^2 steps.
    rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*+((?:[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?)?)[ \t]*"
)
_LENGTH = re.compile(rb"0|[1-9][0-9]{0,8}")
_FORM = re.compile(rb"application/x-www-form-urlencoded(?:; ?charset=[a-z0-9_-]+)?", re.IGNORECASE)
_WAIT = re.compile(rb"wait=(0|[1-9][0-9]{0,4})")
_VERIFIER = re.compile(rb"code_verifier=[A-Za-z0-9._~-]+")
_PLAIN = re.compile(rb"[A-Za-z0-9._~-]+")
_ENCODED = re.compile(rb"[%+&]")

# These change framing, authentication or meaning: their requests take the ordinary way.
_ORDINARY_ONLY = frozenset(
    {
        b"authorization", b"content-encoding", b"dpop", b"expect", b"http2-settings",
        b"proxy-authorization", b"proxy-connection", b"sec-websocket-key", b"sec-websocket-key1",
        b"te", b"trailer", b"transfer-encoding", b"upgrade", b"x-http-method-override",
    }
)  # fmt: skip
# aiohttp refuses a request that has one of these twice; what two of the others mean, it decides.
_ONCE = frozenset(
    {
        b"connection", b"content-length", b"content-location", b"content-range", b"content-type",
        b"etag", b"host", b"max-forwards", b"prefer", b"server", b"user-agent",
    }
)  # fmt: skip

_REMEMBERED_LENGTH = 1024

_GRANT_TYPES = frozenset(
    f"grant_type={DEVICE_CODE_GRANT}".replace(":", colon).encode() for colon in (":", "%3A", "%3a")
)


class RequestHead(NamedTuple):
    """What the lines before a body say.

    `is_form`: a form that the lane may read, which is small.
    `wait` (s): how long the request asks to be held (RFC 7240 4.3); None if it does not ask.
    `has_origin`: whether a page may have sent it (RFC 6454 7).
    """

    line: bytes
    content_length: int
    close: bool
    is_form: bool
    wait: int | None
    has_origin: bool


class PollForm(NamedTuple):
    """The two values of a poll's body that matter before the grant is decided."""

    device_code: bytes
    client_id: bytes


def read_head(block: bytes) -> RequestHead | None:
    """Read a request's lines up to the empty line, which `block` does not include.

    Return None for anything unusual, in particular for whatever changes where the request ends.
    """
    # The devices of a kind send the same head, byte for byte. A long one is of a browser.
    return _known_head(block) if len(block) <= _REMEMBERED_LENGTH else _read_head(block)


@lru_cache(maxsize=1024)
def _known_head(block: bytes) -> RequestHead | None:
    return _read_head(block)


def _read_head(block: bytes) -> RequestHead | None:
    line, *lines = block.split(b"\r\n")
    if len(lines) > MAX_LANE_HEADERS or _LINE.fullmatch(line) is None:
        return None
    headers: dict[bytes, bytes] = {}
    for text in lines:
        header = _HEADER.fullmatch(text)
        if header is None:
            return None
        name = header[1].lower()
        if name in _ORDINARY_ONLY or (name in _ONCE and name in headers):
            return None
        headers[name] = header[2]
    return _head(line, headers)


def _head(line: bytes, headers: dict[bytes, bytes]) -> RequestHead | None:
    connection = headers.get(b"connection", b"keep-alive").lower()
    length = headers.get(b"content-length", b"0")
    if connection not in {b"keep-alive", b"close"} or _LENGTH.fullmatch(length) is None:
        return None
    prefer = headers.get(b"prefer")
    wait = _WAIT.fullmatch(prefer) if prefer is not None else None
    is_form = (
        line.startswith(b"POST ")
        and b"host" in headers
        and _FORM.fullmatch(headers.get(b"content-type", b"")) is not None
        and (prefer is None or wait is not None)
        and int(length) <= MAX_BODY
    )
    return RequestHead(
        line=line,
        content_length=int(length),
        close=connection == b"close",
        is_form=is_form,
        wait=int(wait[1]) if wait else None,
        has_origin=b"origin" in headers,
    )


def read_poll(body: bytes) -> PollForm | None:
    """Read a body that has the parameters of a poll and no others (RFC 8628 3.4), or return None.

    The client id is not checked here: the lane looks it up among the names that it serves. A
    code_verifier may be there and is not read, since it counts at redemption only.
    """
    parts = body.split(b"&")
    if len(parts) != 3:  # noqa: PLR2004, grant_type, device_code, client_id
        parts = _without_verifier(parts)
    device_code = client_id = b""
    is_poll = False
    for part in parts:
        if part.startswith(DEVICE_CODE):
            device_code = part[len(DEVICE_CODE) :]
        elif part.startswith(_CLIENT_ID):
            client_id = part[len(_CLIENT_ID) :]
        elif part in _GRANT_TYPES:
            is_poll = True
    if is_poll and _PLAIN.fullmatch(device_code) and client_id:
        return PollForm(device_code, client_id)
    return None


def needs_decoding(value: bytes) -> bool:
    """Return whether a form writes `value` in another spelling (RFC 6749 appendix B)."""
    return _ENCODED.search(value) is not None


def _without_verifier(parts: list[bytes]) -> list[bytes]:
    """Leave out a code_verifier; return nothing unless just the three parameters remain."""
    rest = [part for part in parts if _VERIFIER.fullmatch(part) is None]
    return rest if len(parts) == 4 and len(rest) == 3 else []  # noqa: PLR2004, as above
