"""Devices that obey RFC 8628: each keeps its connection and polls at its interval.

A device asks for codes, polls until the end, polls once more (the answer must be the same), and
begins again. If a connection breaks under a poll, the device cannot know whether the poll counts,
so it waits for its interval before the next one. If no connection can be made, it tries again
soon, with growing pauses.
"""

import asyncio
import time
from typing import Any, NamedTuple

import msgspec

from benchmarks.faults.record import DENIED, PENDING, SLOW_DOWN, TOKENS, LiveGrant, Record, Tokens
from benchmarks.polls import authorization_request, poll_start

INTERVAL_S = 1.0
CLOSING_S = 0.005
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 1.0


class Requests(NamedTuple):
    """The server's port, and what devices send there. A poll ends with the device code."""

    port: int
    authorization: bytes
    poll: bytes

    @classmethod
    def to(cls, port: int) -> "Requests":
        """Make the requests to the server at `port`."""
        return cls(port, authorization_request(port), poll_start(port))


class FleetDevice(asyncio.Protocol):
    """A device. `grant`: the one that it polls for, None while it asks for codes."""

    def __init__(self, requests: Requests, record: Record) -> None:
        self.grant: LiveGrant | None = None
        self._requests, self._record = requests, record
        self._request = requests.authorization
        self._interval = INTERVAL_S
        self._pause = FIRST_PAUSE_S
        self._first_sent = 0.0
        self._is_open = False
        self._received = b""
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._connecting: asyncio.Task[None] | None = None

    def start(self, delay: float) -> None:
        """Ask for codes after `delay` s."""
        self._later(delay)

    def stop(self) -> None:
        """Close the connection."""
        for pending in (self._timer, self._connecting):
            if pending is not None:
                pending.cancel()
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request that waits for the connection."""
        self._transport = transport  # type: ignore[assignment]
        self._pause = FIRST_PAUSE_S
        self._send()

    def data_received(self, data: bytes) -> None:
        """Read an answer. It may come in pieces."""
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end or len(body) < _length(head):
            return
        self._received, self._is_open = b"", False
        if b"connection: close" in head.lower() and self._transport is not None:
            self._transport.close()
        self._read(int(head[9:12]), body)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note a poll without an answer. Between two polls, the server may close."""
        self._transport, self._received = None, b""
        if self._is_open and self._record.on:
            self._is_open = False
            self._record.counts["reset" if exc else "unanswered"] += 1
            self._later(self._interval)

    def _later(self, delay: float) -> None:
        if self._record.on:
            self._timer = asyncio.get_running_loop().call_later(delay, self._go)

    def _go(self) -> None:
        if self._transport is not None and self._transport.is_closing():
            self._later(CLOSING_S)
        elif self._transport is None:
            self._connecting = asyncio.get_running_loop().create_task(self._connect())
        else:
            self._send()

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        self._first_sent = self._first_sent or time.monotonic()
        try:
            await loop.create_connection(lambda: self, "127.0.0.1", self._requests.port)
        except OSError:
            self._record.counts["refused"] += 1
            self._later(self._pause)
            self._pause = min(LONGEST_PAUSE_S, self._pause * 2)

    def _send(self) -> None:
        if self._transport is not None:
            self._first_sent = self._first_sent or time.monotonic()
            self._is_open = True
            self._transport.write(self._request)

    def _read(self, status: int, body: bytes) -> None:
        if status == 503:
            self._record.counts["503"] += 1
            self._later(self._interval)
            return
        since, self._first_sent = self._first_sent, 0.0
        answer = msgspec.json.decode(body)
        if self.grant is None:
            self._begin(status, answer, since)
        else:
            self._polled(self.grant, status, answer, since)

    def _begin(self, status: int, answer: dict[str, Any], since: float) -> None:
        if status == 200:
            codes = answer["device_code"], answer["user_code"]
            self.grant = self._record.started(*codes, since)
            self._request = self._requests.poll + answer["device_code"].encode()
        else:
            self._record.violate("no codes", str(answer))
        self._later(self._interval)

    def _polled(self, grant: LiveGrant, status: int, answer: dict[str, Any], since: float) -> None:
        kind = TOKENS if status == 200 else str(answer.get("error"))
        is_again = grant.outcome is not None
        if kind == SLOW_DOWN:
            self._interval = float(answer["interval"])
        if kind in {PENDING, SLOW_DOWN} and not is_again:
            self._record.answered(kind, since)
            self._later(self._interval)
        elif kind in {TOKENS, DENIED}:
            self._record.answered(kind, since)
            self._record.ended(grant, kind, since, _tokens(answer) if status == 200 else None)
            # The pace never delays the answer of a grant that has ended.
            self._later(INTERVAL_S if is_again else 0.0)
            if is_again:
                self._begin_anew()
        else:
            self._record.violate(f"{kind} for a grant that is {grant.outcome or 'pending'}")
            self._begin_anew()
            self._later(INTERVAL_S)

    def _begin_anew(self) -> None:
        self.grant, self._request = None, self._requests.authorization
        self._interval = INTERVAL_S


def _tokens(answer: dict[str, Any]) -> Tokens:
    return Tokens(answer["access_token"], answer["refresh_token"])


def _length(head: bytes) -> int:
    return int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
