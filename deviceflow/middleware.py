"""What every answer has in common: the errors that nobody caught, and the Server header."""

from collections.abc import Awaitable, Callable
from typing import cast

from aiohttp import web
from aiohttp.typedefs import Handler

from deviceflow.oauth.answers import SERVER, exception_response
from deviceflow.pages.errors import error_page

MACHINE_PATHS = ("/oauth2/", "/.well-known/")

RequestHandler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


async def name_server(_: web.Request, response: web.StreamResponse) -> None:
    """Name the server in every answer, but not its version."""
    response.headers["Server"] = SERVER


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error: a machine receives JSON, a person a page."""
    try:
        return await handler(request)
    except ConnectionError:
        # The client has gone: there is no one to answer.
        raise
    except Exception as error:  # noqa: BLE001, the last place to catch it: it is logged and answered
        return await _answer(request, error)


def answering_expectations(handle: RequestHandler) -> RequestHandler:
    """Wrap `handle` so that a refused `Expect` (RFC 9110 10.1.1) gets this server's own answer.

    aiohttp looks at that header before any middleware, even for a path that does not exist, and
    its own answer repeats the header's value.
    """

    async def answer_all(request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await handle(request)
        except web.HTTPExpectationFailed as error:
            # An application makes no other requests.
            return await _answer(cast("web.Request", request), error)

    return answer_all


async def _answer(request: web.Request, error: Exception) -> web.StreamResponse:
    if any(part in request.path for part in MACHINE_PATHS):
        return exception_response(error)
    return await error_page(request, error)
