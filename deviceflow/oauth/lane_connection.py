"""One connection: the lane first, aiohttp for everything else.

aiohttp's protocol object is made when a connection first needs it, since making it costs more
than a poll. It gets every byte that the lane did not take, in order. The lane reads only where
a new request must begin:

- on a connection that aiohttp has not seen, after each request that the lane has answered;
- on one that aiohttp has seen, when all bytes it was given were whole requests (counted here by
  their Content-Length), every one of them is answered, and aiohttp waits for the next.

A connection that was ever given bytes whose end cannot be told (a split header, a chunked
body, pipelined requests) belongs to aiohttp for good. So bytes of an unfinished or unread
request are never taken for a new one.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import web

from deviceflow.core.errors import invalid_request
from deviceflow.core.grant import Poll
from deviceflow.oauth.answers import SERVER, answer_error
from deviceflow.oauth.held import HeldPolls
from deviceflow.oauth.lane import Incomplete, Lane, Reply, Taken, Waiting, read_head

REQUEST_TIMEOUT_S = 30.0
SWEEPS = 4
MAX_SENT_AHEAD = 16_384
DRAIN_S = 0.05

NEVER_S = 10.0**8

_UNKNOWN = -1


class LaneConnection(asyncio.Protocol):
    """The protocol of one accepted connection (the methods are asyncio.Protocol's)."""

    __slots__ = (
        "_door", "_handed_waiter", "_held", "_inner", "_is_unread", "_kept", "_missing",
        "_sent_ahead", "quiet", "stuck", "transport",
    )  # fmt: skip

    transport: asyncio.Transport

    def __init__(self, door: "Door") -> None:
        self._door = door
        self._inner: Any = None
        self._handed_waiter: asyncio.Future[None] | None = None
        # How many bytes of the last request given to aiohttp are still to come.
        self._missing = 0
        # A poll whose body is still to come, or the one that is being held.
        self._kept = b""
        self._held: Waiting | None = None
        # The segments that came while it is held, as they came.
        self._sent_ahead: tuple[bytes, ...] = ()
        self._is_unread = False
        self.quiet = 0
        self.stuck = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accept."""
        self.transport = transport  # type: ignore[assignment]
        self._door.connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Let the lane or aiohttp have what arrived."""
        self.quiet = 0
        if self._inner is not None and not self._is_between_requests():
            self._hand_over(data)
        elif self._held is not None:
            self._keep_for_later(data)
        else:
            self._take(data)

    def eof_received(self) -> bool | None:
        """The client sends no more."""
        return self._inner.eof_received() if self._inner is not None else None

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._door.connections.discard(self)
        self._door.held.drop(self.transport)
        if self._inner is not None:
            self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        """Stop reading from a client that does not read its answers.

        Where there is aiohttp, it does that itself; two at one tap would undo each other.
        """
        self._is_unread = True
        if self._inner is not None:
            self._inner.pause_writing()
        else:
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on."""
        self._is_unread = False
        if self._inner is not None:
            self._inner.resume_writing()
        else:
            self.transport.resume_reading()

    def is_idle(self) -> bool:
        """Between two requests, with nothing half sent and nothing to answer."""
        if self._kept or self._held is not None:
            return False
        return self._inner is None or _waits(self._inner)

    def is_lane_only(self) -> bool:
        """Aiohttp has never seen this connection, and will not close it."""
        return self._inner is None

    def is_stuck(self) -> bool:
        """In the middle of a request or an answer that the client does not finish."""
        if self._is_unread or self.transport.is_closing():
            return True
        if self._held is not None:
            return False
        return bool(self._kept) or (self._inner is not None and self._is_unfinished(self._inner))

    def _is_unfinished(self, inner: Any) -> bool:  # noqa: ANN401, aiohttp's protocol
        request = inner._current_request  # noqa: SLF001, see the test of aiohttp's names
        if request is not None:
            return not request.content.is_eof()
        if self._missing != _UNKNOWN:
            return self._missing > 0
        # Half a head: no request came of the bytes that arrived while aiohttp waited for one.
        is_first = inner._request_count == 0  # noqa: SLF001
        return _waits(inner) and (is_first or inner._waiter is self._handed_waiter)  # noqa: SLF001

    def _take(self, data: bytes) -> None:
        kept, self._kept = self._kept, b""
        whole = kept + data if kept else data
        taken = self._door.take(whole)
        if isinstance(taken, Reply):
            self._send(taken)
        elif taken is None:
            # In the segments in which it came: what aiohttp makes of an error depends on them.
            if kept:
                self._hand_over(kept)
            self._hand_over(data)
        elif isinstance(taken, Incomplete):
            self._kept = whole
        else:
            self._hold(taken, whole)

    def _send(self, reply: Reply) -> None:
        self.transport.write(reply.data)
        if reply.close:
            self.transport.close()

    def _hold(self, waiting: Waiting, data: bytes) -> None:
        self._held, self._kept = waiting, data
        if not self._door.held.hold(self.transport, waiting.code, waiting.wait, self._finish):
            self._held, self._kept = None, b""
            self._send(self._door.reply(Poll.AUTHORIZATION_PENDING, close=waiting.close))

    def _finish(self, answer: Poll | None) -> None:
        """The held poll has its answer; None: approved, and redeeming is not the lane's."""
        waiting, poll = self._held, self._kept
        self._held, self._kept = None, b""
        if waiting is None or self.transport.is_closing():
            return
        if answer is None:
            self._door.held.note_granted(self.transport, waiting.wait)
            self._hand_over(poll)
        else:
            reply = self._door.reply(answer, close=waiting.close, held_for=waiting.wait)
            self._send(reply)
        ahead, self._sent_ahead = self._sent_ahead, ()
        for data in ahead:
            if not self.transport.is_closing():
                self.data_received(data)

    def _keep_for_later(self, data: bytes) -> None:
        """What comes while a poll is held is read after its answer."""
        self._sent_ahead += (data,)
        if sum(map(len, self._sent_ahead)) > MAX_SENT_AHEAD:
            self.transport.close()

    def _hand_over(self, data: bytes) -> None:
        """Give `data` to aiohttp, and count whether a request ends with it."""
        if self._inner is None:
            self._inner = self._door.make_inner()
            self._inner.connection_made(self.transport)
            if self._is_unread:
                self.transport.resume_reading()
                self._inner.pause_writing()
        if self._missing == 0:
            self._missing = missing_after(data)
        elif self._missing > 0:
            self._missing = max(self._missing - len(data), _UNKNOWN)
        self._handed_waiter = self._inner._waiter  # noqa: SLF001
        self._inner.data_received(data)

    def _is_between_requests(self) -> bool:
        inner = self._inner
        # The waiter that was there when bytes were handed over may still belong to them.
        return (
            self._missing == 0
            and _waits(inner)
            and inner._waiter is not self._handed_waiter  # noqa: SLF001
            and not self._is_unread
        )


def missing_after(data: bytes) -> int:
    """How many bytes of the one request that `data` begins are still to come; -1: no telling."""
    end = data.find(b"\r\n\r\n")
    head = read_head(data[:end]) if end > 0 else None
    if head is None:
        return _UNKNOWN
    return max(end + 4 + head.content_length - len(data), _UNKNOWN)


def _waits(inner: Any) -> bool:  # noqa: ANN401, aiohttp's protocol, whose names are private
    waiter = inner._waiter  # noqa: SLF001
    return waiter is not None and not waiter.done()


class Inner(web.RequestHandler):
    """aiohttp's protocol, but for what it says of a request that it cannot read.

    It would repeat the bytes, which may hold a code or a secret, and tell its version.
    """

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,  # noqa: ARG002, aiohttp's signature
        status: int = 500,
        exc: BaseException | None = None,  # noqa: ARG002
        message: str | None = None,  # noqa: ARG002
    ) -> web.StreamResponse:
        """Answer as the endpoints do; nothing of the request is repeated or logged."""
        response = answer_error(invalid_request("The request is no proper HTTP.", status=status))
        response.headers["Server"] = SERVER
        response.force_close()
        return response


class Door:
    """All connections of one worker: makes them, closes idle ones, drains them at the end."""

    def __init__(
        self,
        lane: Lane,
        held: HeldPolls,
        server: web.Server,
        *,
        lane_is_on: bool,
        keepalive_s: float,
    ) -> None:
        self.take: Callable[[bytes], Taken] = lane.take if lane_is_on else _take_nothing
        self.reply = lane.reply
        self.held = held
        self._server = server
        self.connections: set[LaneConnection] = set()
        self._keepalive_s = keepalive_s

    def __call__(self) -> LaneConnection:
        """The protocol of a new connection."""
        return LaneConnection(self)

    def make_inner(self) -> Inner:
        """Aiohttp's protocol for a connection. The door closes idle ones, not aiohttp."""
        loop = asyncio.get_running_loop()
        return Inner(self._server, loop=loop, keepalive_timeout=NEVER_S, access_log=None)  # type: ignore[arg-type]

    async def sweep_regularly(self) -> None:
        """Close what has been idle or stuck for too long, until cancelled."""
        period = min(self._keepalive_s, REQUEST_TIMEOUT_S) / SWEEPS
        while True:
            await asyncio.sleep(period)
            self.sweep(period)

    def sweep(self, period: float) -> None:
        """Look at every connection; `period` s have passed since the last time."""
        for connection in list(self.connections):
            connection.quiet = connection.quiet + 1 if connection.is_idle() else 0
            connection.stuck = connection.stuck + 1 if connection.is_stuck() else 0
            if connection.stuck * period > REQUEST_TIMEOUT_S:
                connection.transport.abort()
            elif connection.quiet * period > self._keepalive_s:
                connection.transport.close()

    async def drain(self) -> None:
        """Answer held polls and close idle connections; aiohttp drains its own after that."""
        self.held.drop_all()
        # What had arrived before the socket was closed is still answered.
        await asyncio.sleep(DRAIN_S)
        for connection in list(self.connections):
            if connection.is_idle() or connection.is_lane_only():
                connection.transport.close()


def _take_nothing(_: bytes) -> None:
    return None
