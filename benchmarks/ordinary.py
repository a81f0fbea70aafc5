"""Ordinary devices: each polls an interval after the answer, and knows nothing of held polls."""

import asyncio
import random
import ssl
import time
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.polls import poll_start

INTERVAL_S = 5
PENDING, TOKENS, LOST = "authorization_pending", "tokens", "lost"
_ERROR = b'"error":"'


class Front(NamedTuple):
    """Where devices connect to, and whether each keeps its connection. `tls`: None for http."""

    port: int
    tls: ssl.SSLContext | None
    keeps: bool


class _Connection(asyncio.Protocol):
    """A connection with one poll at a time."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._answer: asyncio.Future[bytes] | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Complete the answer: a body of JSON ends with a brace."""
        self._received += data
        if self._received.endswith(b"}") and self._answer and not self._answer.done():
            self._answer.set_result(self._received)

    def connection_lost(self, _: Exception | None) -> None:
        """Give up the answer."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError())

    def poll(self, request: bytes) -> asyncio.Future[bytes]:
        """Send a poll, and return its future answer."""
        self._received = b""
        self._answer = asyncio.get_running_loop().create_future()
        if self.transport.is_closing():
            self._answer.set_exception(ConnectionResetError())
            return self._answer
        self.transport.write(request)
        return self._answer


class OrdinaryFleet:
    """Devices that poll one server until they have tokens.

    `pause_s`: from an answer to the next poll. `outcomes`: the number of answers of each kind.
    `granted_at`: by device code, the time (time.monotonic) at which it had its tokens.
    """

    def __init__(self, front: Front, pause_s: float = INTERVAL_S) -> None:
        self.outcomes: Counter[str] = Counter()
        self.granted_at: dict[str, float] = {}
        self._front = front
        self._pause_s = pause_s
        self._start = poll_start(front.port, close=not front.keeps)
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, codes: Sequence[str], cycle_s: float) -> None:
        """Start a device for each code, at times spread over `cycle_s`."""
        loop = asyncio.get_running_loop()
        for code in codes:
            delay = random.uniform(0, cycle_s)
            self._tasks.append(loop.create_task(self._live(code, delay)))

    async def end(self) -> None:
        """End all devices."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _live(self, code: str, delay: float) -> None:
        connection: _Connection | None = None
        try:
            while code not in self.granted_at:
                await asyncio.sleep(delay)
                delay = self._pause_s
                try:
                    connection = connection or await self._connect()
                    answer = await connection.poll(self._start + code.encode())
                    self._note(code, answer)
                except OSError:
                    self.outcomes[LOST] += 1
                    if connection is not None:
                        connection.transport.abort()
                    connection = None
                    continue
                if not self._front.keeps:
                    connection.transport.close()
                    connection = None
        finally:
            if connection is not None:
                connection.transport.abort()

    def _note(self, code: str, answer: bytes) -> None:
        if answer.startswith(b"HTTP/1.1 200 "):
            self.granted_at[code] = time.monotonic()
            self.outcomes[TOKENS] += 1
        else:
            error = answer.partition(_ERROR)[2].partition(b'"')[0]
            self.outcomes[error.decode() or LOST] += 1

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        front = self._front
        _, connection = await loop.create_connection(
            _Connection,
            "127.0.0.1",
            front.port,
            ssl=front.tls,
            server_hostname="localhost" if front.tls else None,
        )
        return connection
