"""The id of a request: in its log lines, and in its answer.

A trusted proxy may have given one, in `X-Request-ID` or in `traceparent` (W3C Trace Context 3.2).
Every other request gets a new one. What the lane answers has no log line, and so no id; the
ordinary path leaves the id out of the same answers, because one cannot tell which of the two gave
them.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Any

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from deviceflow.ops.randomness import RANDOMNESS

HEADER = "X-Request-ID"
PARENT = "traceparent"

_REQUEST_ID = re.compile(r"[A-Za-z0-9._=:/+-]{1,64}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")

_began_ns: ContextVar[int] = ContextVar("began_ns", default=0)

IsTrusted = Callable[[web.Request], bool]
"""Whether a proxy that is trusted sends a request."""

IsLanes = Callable[[web.StreamResponse], bool]
"""Whether the lane might have given an answer."""


def request_ids(is_trusted: IsTrusted, is_lanes: IsLanes) -> Middleware:
    """Return the middleware, which has to be the outermost."""

    @web.middleware
    async def identify(request: web.Request, handler: Handler) -> web.StreamResponse:
        request_id = (given_id(request) if is_trusted(request) else "") or new_id()
        with request_named(request_id):
            response = await handler(request)
        if not is_lanes(response):
            response.headers[HEADER] = request_id
        return response

    return identify


@contextmanager
def request_named(request_id: str) -> Iterator[None]:
    """Give the request that runs now its id, until the block ends."""
    bound = name_request(request_id)
    try:
        yield
    finally:
        structlog.contextvars.reset_contextvars(**bound)


def name_request(request_id: str) -> Mapping[str, Token[Any]]:
    """Give the request its id, for the rest of a task that serves no other one."""
    _began_ns.set(time.time_ns())
    return structlog.contextvars.bind_contextvars(request_id=request_id)


def new_id() -> str:
    """Make the id of a request that came without one."""
    return f"{RANDOMNESS.getrandbits(64):016x}"


def request_began_ns() -> int:
    """Return when the request began that runs now, in ns since 1970; 0 outside of requests."""
    return _began_ns.get()


def given_id(request: web.Request) -> str:
    """Return the id that a request came with, empty for none that can be used."""
    return id_in(request.headers.getall(HEADER, []), request.headers.getall(PARENT, []))


def id_in(ids: Sequence[str], parents: Sequence[str]) -> str:
    """Return the same from the lines of HEADER and of PARENT."""
    if len(ids) == 1 and _REQUEST_ID.fullmatch(ids[0]):
        return ids[0]
    trace = _TRACEPARENT.fullmatch(parents[0]) if len(parents) == 1 else None
    return trace[1] if trace else ""
