"""One connection: the lane first, aiohttp for everything else.

Who owns the bytes? At every moment exactly one of three does, and they never give bytes back:

    the lane        reads a segment where a new request must begin, answers a poll, and is done
                    (or the lane of starts does, which asks the store first: `later.py`);
    this object     keeps the bytes of a request whose body is still to come, and of a poll that
                    is held, and the segments that a client sends while it waits for an answer;
    aiohttp         gets everything else, in order, in the segments in which it came (what it
                    makes of a malformed request depends on them).

The danger is to read a new request where an old one still goes on: the rest of a half head, of a
body, or of a body that was left unread after an early answer. A sender could hide a request in
it. So the lane reads only at a place of which this object is certain:

- on a connection that aiohttp has never seen, since every request before was the lane's;
- on a connection that aiohttp has seen, if all bytes that aiohttp was given were whole requests
  (counted here by their Content-Length: `_missing == 0`), all of them are answered, and aiohttp
  waits for the next one (`_is_between_requests`).

If the end of the given bytes cannot be told (a split head, a chunked body, pipelined requests),
`_missing` becomes _UNKNOWN and stays so: the connection is aiohttp's for good. That costs time and
is always right.

aiohttp's protocol object is made when a connection first needs it, since making it costs more
than a poll, and many devices open a connection for every poll.
"""

import asyncio
from typing import TYPE_CHECKING

from deviceflow.core.grant import PollAnswer
from deviceflow.oauth.poll.lane import LaneAnswer, WaitingPoll
from deviceflow.oauth.poll.later import IncompleteRequest, LaterAnswer, Write
from deviceflow.oauth.poll.open_connections import NOTHING_SENT
from deviceflow.oauth.poll.recognition import HEAD_END, read_head

if TYPE_CHECKING:
    from deviceflow.oauth.poll.aiohttp_protocol import AiohttpProtocol
    from deviceflow.oauth.poll.door import Door

MAX_SENT_AHEAD = 16_384

_UNKNOWN = -1


class LaneConnection(asyncio.Protocol):
    """The protocol of one accepted connection (the methods are asyncio.Protocol's).

    `quiet` and `stuck`: for how many sweeps of the door it has been idle, or unfinished. `quiet` is
    NOTHING_SENT before the first bytes. `address` and `opened_at` are for `OpenConnections`.
    """

    __slots__ = (
        "_aiohttp", "_door", "_given_waiter", "_held", "_is_unread", "_kept", "_later",
        "_missing", "_sends_no_more", "_sent_ahead", "address", "opened_at", "quiet", "stuck",
        "transport",
    )  # fmt: skip

    transport: asyncio.Transport
    address: str
    opened_at: float

    def __init__(self, door: "Door") -> None:
        self._door = door
        self._aiohttp: AiohttpProtocol | None = None
        # The future with which aiohttp waited when bytes were last given to it.
        self._given_waiter: asyncio.Future[None] | None = None
        # How many bytes of the last request that was given to aiohttp are still to come.
        self._missing = 0
        # The bytes of a request whose body is still to come, or of a poll which is held.
        self._kept = b""
        self._held: WaitingPoll | None = None
        # The request that another lane answers later, and whether nothing comes after what came.
        self._later: LaterAnswer | None = None
        self._sends_no_more = False
        # The segments that came while an answer is waited for, as they came.
        self._sent_ahead: tuple[bytes, ...] = ()
        self._is_unread = False
        self.quiet = NOTHING_SENT
        self.stuck = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the new connection."""
        self.transport = transport  # type: ignore[assignment]
        if not self._door.connections.add(self):
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Give what arrived to its owner: aiohttp, this object, or the lane."""
        self.quiet = 0
        if self._aiohttp is not None and not self._is_between_requests(self._aiohttp):
            self._give(data)
            return
        if self._held is not None or self._later is not None:
            self._keep_for_later(data)
            return
        # `data` begins a request, or goes on with the one in `_kept`.
        kept, whole = self._kept, data
        if kept:
            self._kept, whole = b"", kept + data
        result = self._door.take(whole)
        if isinstance(result, LaneAnswer):
            # This is `_send`, without its call: most polls end here.
            self.transport.write(result.data)
            if result.close:
                self.transport.close()
        elif result is None:
            self._take_otherwise(kept, data)
        elif isinstance(result, IncompleteRequest):
            self._kept = whole
        else:
            self._hold(result, whole)

    def eof_received(self) -> bool:
        """Answer what is whole: the client sends no more, but may still read (RFC 9112 9.6).

        Return whether the transport has to stay open for an answer that is not written yet; it is
        closed after that. The lane's answers are written: the transport sends them and closes.
        """
        if self._later is not None:
            self._sends_no_more = True
            return True
        if self._aiohttp is None and self._held is None:
            return False
        self._door.held.note_end(self.transport)
        return self._aiohttp is not None and self._aiohttp.end()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the connection: the client has gone."""
        self._door.connections.discard(self)
        self._door.held.drop(self.transport)
        if self._aiohttp is not None:
            self._aiohttp.connection_lost(exc)

    def pause_writing(self) -> None:
        """Stop reading from a client that does not read its answers.

        Once there is aiohttp, it does this itself. Two that pause and resume one transport would
        undo each other.
        """
        self._is_unread = True
        if self._aiohttp is not None:
            self._aiohttp.pause_writing()
        else:
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        """Resume reading: the client has read its answers."""
        self._is_unread = False
        if self._aiohttp is not None:
            self._aiohttp.resume_writing()
        else:
            self.transport.resume_reading()

    def is_idle(self) -> bool:
        """Return whether it is between two requests, with nothing half sent or unanswered."""
        if self._kept or self._held is not None or self._later is not None:
            return False
        return self._aiohttp is None or self._aiohttp.waits

    def is_lane_only(self) -> bool:
        """Return whether aiohttp has never seen this connection, and so will not close it."""
        return self._aiohttp is None

    def is_stuck(self) -> bool:
        """Return whether the client leaves a request or an answer unfinished."""
        if self._is_unread or self.transport.is_closing():
            return True
        if self._held is not None or self._later is not None:
            return False
        return bool(self._kept) or (
            self._aiohttp is not None and self._is_unfinished(self._aiohttp)
        )

    def _is_unfinished(self, aiohttp: "AiohttpProtocol") -> bool:
        """Return whether a request that aiohttp was given still lacks bytes."""
        is_reading_body = aiohttp.is_reading_body
        if is_reading_body is not None:
            return is_reading_body
        if self._missing != _UNKNOWN:
            return self._missing > 0
        # No request is being served, and the count has ended. What is left is half a head:
        # aiohttp still waits, and with the very future with which it waited when bytes were last
        # given to it, so those bytes made no request. (A future is replaced after each request;
        # on a new connection there is none before the first bytes, so it cannot be compared.)
        return aiohttp.waits and (not aiohttp.has_served or aiohttp.waiter is self._given_waiter)

    def _take_otherwise(self, kept: bytes, data: bytes) -> None:
        """Let the other lane read what is no poll; what it leaves is aiohttp's."""
        peer = self.transport.get_extra_info("peername")
        taken = self._door.take_later(kept + data, peer)
        if taken is None:
            if kept:
                self._give(kept)
            self._give(data)
        elif isinstance(taken, IncompleteRequest):
            self._kept = kept + data
        else:
            self._later = taken
            taken.begin(self._answer_later)

    def _answer_later(self, write: Write) -> None:
        """Send the answer of the other lane; read what was sent behind the request."""
        later, self._later = self._later, None
        if later is None or self.transport.is_closing():
            return
        close = later.close or self._door.is_retiring
        self._send(LaneAnswer(write(close), close))
        self._read_on()
        if self._sends_no_more:
            self._sends_no_more = False
            if not self.transport.is_closing() and not self.eof_received():
                self.transport.close()

    def _send(self, answer: LaneAnswer) -> None:
        self.transport.write(answer.data)
        if answer.close:
            self.transport.close()

    def _hold(self, poll: WaitingPoll, data: bytes) -> None:
        self._held, self._kept = poll, data
        held = self._door.held
        peer = self.transport.get_extra_info("peername")
        share = held.shares.of_request(peer, data, poll.code.client_id)
        if not held.hold(self.transport, poll.code, poll.hold, self._finish, share):
            self._held, self._kept = None, b""
            self._send(self._door.answer(PollAnswer.AUTHORIZATION_PENDING, close=poll.close))

    def _finish(self, answer: PollAnswer | None) -> None:
        """Answer the held poll; with None it is approved, and the token endpoint answers it.

        This is the lane's end of the hand-over that `held.py` describes.
        """
        poll, data = self._held, self._kept
        self._held, self._kept = None, b""
        if poll is None or self.transport.is_closing():
            return
        if answer is None:
            self._door.held.hand_over(self.transport, poll.hold)
            self._give(data)
        else:
            close = poll.close or self._door.is_retiring
            self._send(self._door.answer(answer, close=close, hold=poll.hold))
        self._read_on()

    def _read_on(self) -> None:
        """Read what came while an answer was waited for."""
        ahead, self._sent_ahead = self._sent_ahead, ()
        for segment in ahead:
            if not self.transport.is_closing():
                self.data_received(segment)

    def _keep_for_later(self, data: bytes) -> None:
        """Keep what comes while an answer is waited for; it is read after that answer."""
        self._sent_ahead += (data,)
        if sum(map(len, self._sent_ahead)) > MAX_SENT_AHEAD:
            self.transport.close()

    def _give(self, data: bytes) -> None:
        """Give `data` to aiohttp, and count whether a request ends with it."""
        if self._aiohttp is None:
            self._aiohttp = self._door.make_aiohttp()
            self._aiohttp.connection_made(self.transport)
            if self._is_unread:
                # From here on aiohttp pauses and resumes: hand it a transport that reads.
                self.transport.resume_reading()
                self._aiohttp.pause_writing()
        if self._missing == 0:
            self._missing = missing_after(data)
        elif self._missing > 0:
            self._missing = max(self._missing - len(data), _UNKNOWN)
        self._given_waiter = self._aiohttp.waiter
        self._aiohttp.data_received(data)

    def _is_between_requests(self, aiohttp: "AiohttpProtocol") -> bool:
        """Return whether the next byte begins a new request, which the lane may read."""
        return (
            self._missing == 0
            and aiohttp.waits
            # The future of the last time may still belong to the bytes that were given then.
            and aiohttp.waiter is not self._given_waiter
            and not self._is_unread
        )


def missing_after(data: bytes) -> int:
    """Return how many bytes of the one request that `data` begins are still to come.

    -1 if that cannot be told, or if more than one request begins in `data`.
    """
    end = data.find(HEAD_END)
    head = read_head(data[:end]) if end > 0 else None
    if head is None:
        return _UNKNOWN
    return max(end + len(HEAD_END) + head.content_length - len(data), _UNKNOWN)
