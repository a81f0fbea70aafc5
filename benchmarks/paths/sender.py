"""Requests over connections that are kept; every answer is returned."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple, Self

from benchmarks.processes import BenchmarkError

CONNECTIONS = 64
ANSWERS_TIMEOUT_S = 60.0


class Answer(NamedTuple):
    """An answer in its parts. `head`: the status line and the headers."""

    status: int
    head: bytes
    body: bytes

    def header(self, name: str) -> str:
        """Return the first value of a header, or an empty text."""
        for line in self.head.split(b"\r\n")[1:]:
            field, _, value = line.partition(b":")
            if field.decode().lower() == name.lower():
                return value.strip().decode()
        return ""


class Lines:
    """Connections that are open, and stay so."""

    def __init__(self, lines: Sequence["_Line"]) -> None:
        self._lines = lines

    @classmethod
    @asynccontextmanager
    async def open(
        cls, port: int, connections: int = CONNECTIONS, tls: ssl.SSLContext | None = None
    ) -> AsyncIterator[Self]:
        """Open connections, with the handshakes of TLS."""
        loop = asyncio.get_running_loop()
        made = [
            await loop.create_connection(_Line, "127.0.0.1", port, ssl=tls)
            for _ in range(connections)
        ]
        opened = cls([line for _, line in made])
        try:
            yield opened
        finally:
            for transport, _ in made:
                transport.abort()

    async def send_all(self, requests: Sequence[bytes]) -> list[Answer]:
        """Send requests, on each connection one when the one before is answered.

        Return the answers in the order of the requests. May raise BenchmarkError.
        """
        answers: list[Answer | None] = [None] * len(requests)
        numbered = iter(enumerate(requests))
        async with asyncio.timeout(ANSWERS_TIMEOUT_S):
            await asyncio.gather(*(line.send_all(numbered, answers) for line in self._lines))
        return [answer for answer in answers if answer is not None]


class _Line(asyncio.Protocol):
    """A connection with one request at a time."""

    _answer: asyncio.Future[Answer] | None = None
    _received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, rest = self._received.partition(b"\r\n\r\n")
        if found and len(rest) >= _length(head) and self._answer is not None:
            self._answer.set_result(Answer(int(head[9:12]), head, rest))

    def connection_lost(self, _: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(BenchmarkError("a server closed a connection"))

    async def send_all(
        self, requests: Iterator[tuple[int, bytes]], answers: list[Answer | None]
    ) -> None:
        """Send requests as long as there are any."""
        for number, request in requests:
            self._answer, self._received = asyncio.get_running_loop().create_future(), b""
            self._transport.write(request)
            answers[number] = await self._answer


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0
