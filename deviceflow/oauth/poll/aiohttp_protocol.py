"""aiohttp's protocol object for one connection, as the lane has to know it.

`web.RequestHandler` has no public way to ask whether it waits for a new request. This class is
the one place that reads its private names (`_waiter`, `_current_request`, `_request_count`,
`_messages`, `_request_in_progress`, `_ErrInfo`). They are pinned with aiohttp's minor version, and
`tests/oauth/poll/test_aiohttp_protocol.py` fails when they change.
"""

import asyncio
from contextlib import suppress
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import _ErrInfo

from deviceflow.core.errors import invalid_request
from deviceflow.oauth.answers import SERVER, error_response
from deviceflow.oauth.poll.oversize import (
    MAX_HEADERS,
    MAX_KEPT,
    MAX_LINE,
    AnswerOversize,
    answer_machine,
    is_oversize,
    oversize_head,
)

# The door closes idle connections. aiohttp must not, since it cannot see what the lane answers.
NEVER_S = 10.0**8

LINGER_S = 2.0
"""How long a client may go on sending after an answer to a part of its request."""


class AiohttpProtocol(web.RequestHandler):
    """Serves what the lane leaves, and answers bytes that are no HTTP without repeating them."""

    __slots__ = ("_answer_oversize", "_client_has_ended", "_gave_up", "_has_gone", "_head")

    def __init__(
        self,
        server: web.Server,
        answer_oversize: AnswerOversize = answer_machine,
        **options: Any,  # noqa: ANN401, as aiohttp takes them
    ) -> None:
        super().__init__(server, **options)
        self._answer_oversize = answer_oversize
        self._client_has_ended = False
        # The beginning of a head whose end has not come yet, or never will.
        self._head = b""
        self._gave_up = False
        self._has_gone = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        """Keep what arrives of a head until its end: aiohttp keeps nothing of one that it gives up.

        If it was too large, the rest is read and dropped. Bytes that nobody has read would make the
        kernel reset the connection, and the client would lose the answer.
        """
        if self._gave_up:
            return
        count = self._request_count
        self._head = (self._head + data)[:MAX_KEPT]
        super().data_received(data)
        newest = self._messages[-1][0] if self._messages else None
        if isinstance(newest, _ErrInfo):
            self._gave_up = is_oversize(newest.exc)
        elif self._request_count != count or self.is_reading_body:
            self._head = b""

    def connection_lost(self, exc: BaseException | None) -> None:
        """Note that the client has gone."""
        self._has_gone.set()
        super().connection_lost(exc)

    def end(self) -> bool:
        """Close once all whole requests are answered: the client sends no more.

        Return False if there are none, or if the last one lacks a part of its body: then there is
        nothing to wait for.
        """
        self._has_gone.set()
        if self._messages:
            body = self._messages[-1][1]
        elif self._current_request is not None:
            body = self._current_request.content
        elif self._request_in_progress:
            # The answer is being written.
            body = None
        elif self._is_between_tasks:
            self._loop.call_soon(self._end_or_close)
            return True
        else:
            return False
        if body is not None and not body.is_eof():
            return False
        self._client_has_ended = True
        self._close_after_last()
        return True

    @property
    def client_has_ended(self) -> bool:
        """Whether the client has hung up, or sends no more, which looks the same."""
        return self._has_gone.is_set()

    @property
    def _is_between_tasks(self) -> bool:
        """Whether a request's task is made and has not begun, or has ended just now."""
        return self._request_count > 0 and self._waiter is None

    def _end_or_close(self) -> None:
        if self.transport is not None and not self.end():
            self.transport.close()

    def _close_after_last(self) -> None:
        # `close` drops the requests that have not begun.
        if not self._messages:
            self.close()

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Write an answer; if it is the last one, have the connection closed after it."""
        finished = await super().finish_response(request, resp, start_time)
        if self._client_has_ended:
            self._close_after_last()
        elif self._gave_up and not self._messages:
            await self._linger()
        return finished

    async def _linger(self) -> None:
        """Wait until the client has read the answer and closes (RFC 9112 9.6)."""
        if self.transport is not None and self.transport.can_write_eof():
            self.transport.write_eof()
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                await self._has_gone.wait()

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
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002
    ) -> web.StreamResponse:
        """Answer bytes that are no HTTP in the words of an endpoint.

        aiohttp's own answer repeats the bytes, which may hold a code or a secret, and its version.
        """
        if is_oversize(exc):
            response = self._answer_oversize(oversize_head(self._head))
        else:
            wrong = invalid_request("The request is no proper HTTP.", status=status)
            response = error_response(wrong)
        response.headers["Server"] = SERVER
        response.force_close()
        return response


def aiohttp_protocol(
    server: web.Server, answer_oversize: AnswerOversize = answer_machine
) -> AiohttpProtocol:
    """Make the protocol of one connection to `server`."""
    loop = asyncio.get_running_loop()
    return AiohttpProtocol(
        server,
        answer_oversize,
        loop=loop,
        keepalive_timeout=NEVER_S,
        access_log=None,
        # Every endpoint refuses compressed bodies. To inflate one first would cost a worker a
        # second for some hundred kilobytes.
        auto_decompress=False,
        max_line_size=MAX_LINE,
        max_field_size=MAX_LINE,
        max_headers=MAX_HEADERS,
    )
