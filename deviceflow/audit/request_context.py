"""The request that runs now, so that an event has its address without being handed it."""

from contextvars import ContextVar

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from deviceflow.callers import Callers

_request: ContextVar[tuple[web.Request, Callers] | None] = ContextVar("request", default=None)


def noting_requests(callers: Callers) -> Middleware:
    """Return the middleware that notes the request that runs."""

    @web.middleware
    async def note(request: web.Request, handler: Handler) -> web.StreamResponse:
        token = _request.set((request, callers))
        try:
            return await handler(request)
        finally:
            _request.reset(token)

    return note


def current_address() -> str:
    """Return where the request that runs now comes from; empty outside of requests."""
    current = _request.get()
    if current is None:
        return ""
    request, callers = current
    return callers.address(request)
