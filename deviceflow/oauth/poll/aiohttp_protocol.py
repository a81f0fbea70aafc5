"""aiohttp's protocol object for one connection, as the lane has to know it.

`web.RequestHandler` has no public way to ask whether it waits for a new request. This class is
the one place that reads its private names (`_waiter`, `_current_request`, `_request_count`). They
are pinned with aiohttp's minor version, and `tests/oauth/poll/test_aiohttp_protocol.py` fails when
they change.
"""

import asyncio

from aiohttp import web

from deviceflow.core.errors import invalid_request
from deviceflow.oauth.answers import SERVER, error_response

# The door closes idle connections. aiohttp must not, since it cannot see what the lane answers.
NEVER_S = 10.0**8


class AiohttpProtocol(web.RequestHandler):
    """Serves what the lane leaves, and answers bytes that are no HTTP without repeating them."""

    __slots__ = ()

    @property
    def waiter(self) -> asyncio.Future[None] | None:
        """The future with which aiohttp waits for a new request; None while it is busy.

        It is pending from the moment aiohttp waits until the bytes of a whole head have arrived.
        """
        return self._waiter

    @property
    def waits(self) -> bool:
        """Whether aiohttp waits for a request, perhaps with half a head in its parser."""
        waiter = self._waiter
        return waiter is not None and not waiter.done()

    @property
    def is_reading_body(self) -> bool | None:
        """Whether the current request's body is still arriving; None without a request."""
        request = self._current_request
        return None if request is None else not request.content.is_eof()

    @property
    def has_served(self) -> bool:
        """Whether a request has been read on this connection."""
        return self._request_count > 0

    def handle_error(
        self,
        request: web.BaseRequest,  # noqa: ARG002, aiohttp's signature
        status: int = 500,
        exc: BaseException | None = None,  # noqa: ARG002
        message: str | None = None,  # noqa: ARG002
    ) -> web.StreamResponse:
        """Answer bytes that are no HTTP in the words of an endpoint.

        aiohttp's own answer repeats the bytes, which may hold a code or a secret, and its version.
        """
        response = error_response(invalid_request("The request is no proper HTTP.", status=status))
        response.headers["Server"] = SERVER
        response.force_close()
        return response


def aiohttp_protocol(server: web.Server) -> AiohttpProtocol:
    """Make the protocol of one connection to `server`."""
    loop = asyncio.get_running_loop()
    return AiohttpProtocol(server, loop=loop, keepalive_timeout=NEVER_S, access_log=None)  # type: ignore[arg-type]
