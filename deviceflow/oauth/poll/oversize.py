"""Heads that are larger than aiohttp reads: what can still be known of the request.

aiohttp keeps nothing of a head that it gives up. A browser sends such heads too, if other
applications on the same host have set many cookies, and its person has to be told what to do.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage, LineTooLong

from deviceflow.core.errors import invalid_request
from deviceflow.oauth.answers import error_response

MAX_LINE = 8190
"""The longest address and the longest header line, in bytes; aiohttp's own limits."""

MAX_HEADERS = 128
MAX_KEPT = 2 * MAX_LINE
"""How much of a head is kept, to look up where it was sent to and what it accepts."""

URI_TOO_LONG, HEADERS_TOO_LARGE = 414, 431

_DESCRIPTIONS = {
    URI_TOO_LONG: f"The address of the request is longer than {MAX_LINE} bytes.",
    HEADERS_TOO_LARGE: f"The header has a line of more than {MAX_LINE} bytes,"
    f" or more than {MAX_HEADERS} lines.",
}
_ACCEPT = re.compile(rb"\r\naccept:[ \t]*([^\r\n]*)", re.IGNORECASE)
_ORIGIN = re.compile(rb"\r\norigin:[ \t]*([^\r\n]*)\r\n", re.IGNORECASE)


class OversizeHead(NamedTuple):
    """A head that was given up.

    `status`: 414 (RFC 9110 15.5.15) or 431 (RFC 6585 5). `target`: as much of it as arrived.
    `accept` and `origin`: None if that line had not arrived.
    """

    status: int
    target: str
    accept: str | None
    origin: str | None = None

    @property
    def path(self) -> str:
        """The path of the target, without the query."""
        return self.target.partition("?")[0]


AnswerOversize = Callable[[OversizeHead], web.StreamResponse]


def is_oversize(error: BaseException | None) -> bool:
    """Return whether aiohttp gave up a head because of its size."""
    if isinstance(error, LineTooLong):
        return True
    return isinstance(error, BadHttpMessage) and "Too many headers" in str(error)


def oversize_head(received: bytes) -> OversizeHead:
    """Read what arrived of a head that is too large."""
    target = received.partition(b"\r\n")[0].partition(b" ")[2].partition(b" ")[0]
    accept, origin = _ACCEPT.search(received), _ORIGIN.search(received)
    return OversizeHead(
        status=URI_TOO_LONG if len(target) > MAX_LINE else HEADERS_TOO_LARGE,
        target=target.decode("latin-1"),
        accept=None if accept is None else accept[1].decode("latin-1"),
        origin=None if origin is None else origin[1].decode("latin-1"),
    )


def answer_machine(head: OversizeHead) -> web.StreamResponse:
    """Answer as an endpoint does."""
    return error_response(invalid_request(_DESCRIPTIONS[head.status], status=head.status))
