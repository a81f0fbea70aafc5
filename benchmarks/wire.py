"""Requests as bytes over connections to a server of this machine; every answer is returned."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple, Self

from benchmarks.processes import BenchmarkError

CONNECTIONS = 64
AT_ONCE = 32
"""Connections of `send_all` and `send_apart`."""

ANSWER_S = 30.0
ANSWERS_S = 60.0
_END = b"\r\n\r\n"


class Answer(NamedTuple):
    """An answer. `head`: the status line and the headers. `size`: bytes with the request."""

    status: int
    head: bytes
    body: bytes
    size: int

    def header(self, name: str) -> str:
        """Return the first value of a header, or an empty text."""
        return next(iter(self.headers(name)), "")

    def headers(self, name: str) -> list[str]:
        """Return all values of a header."""
        return _values(self.head, name)


class Line(asyncio.Protocol):
    """A connection with one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._received = b""
        self._sent = 0

    @classmethod
    async def open(cls, port: int, tls: ssl.SSLContext | None = None) -> Self:
        """Connect, with the handshake of TLS."""
        loop = asyncio.get_running_loop()
        _, line = await loop.create_connection(cls, "127.0.0.1", port, ssl=tls)
        return line

    async def send(self, request: bytes) -> Answer:
        """Send a request, and return the answer. May raise BenchmarkError."""
        try:
            async with asyncio.timeout(ANSWER_S):
                return await self.exchange(request)
        except TimeoutError as error:
            first = request.partition(b"\r\n")[0].decode()
            raise BenchmarkError(f"{first}: no answer within {ANSWER_S:g} s") from error

    def exchange(self, request: bytes) -> asyncio.Future[Answer]:
        """Send a request, and return what will be its answer. May raise BenchmarkError."""
        if self._transport is None or self._transport.is_closing():
            raise BenchmarkError("a server closed a connection")
        self._received, self._sent = b"", len(request)
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.abort()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Read an answer, which may come in pieces."""
        self._received += data
        head, found, body = self._received.partition(_END)
        if not found or self._answer is None or self._answer.done():
            return
        if len(body) >= int((_values(head, "Content-Length") or ["0"])[0]):
            size = self._sent + len(self._received)
            self._answer.set_result(Answer(int(head[9:12]), head, body, size))

    def connection_lost(self, exc: Exception | None) -> None:
        """Report that there will be no answer."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(BenchmarkError(f"a server closed a connection: {exc!r}"))


class Lines:
    """Connections that are open, and stay so."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._lines = lines

    @classmethod
    @asynccontextmanager
    async def open(
        cls, port: int, connections: int = CONNECTIONS, tls: ssl.SSLContext | None = None
    ) -> AsyncIterator[Self]:
        """Open connections, one after the other."""
        lines: list[Line] = []
        try:
            for _ in range(connections):
                lines.append(await Line.open(port, tls))  # noqa: PERF401, closed
            yield cls(lines)
        finally:
            for line in lines:
                line.close()

    async def send_all(self, requests: Sequence[bytes]) -> list[Answer]:
        """Send requests, on each connection one when the one before is answered.

        Return the answers in the order of the requests. May raise BenchmarkError, TimeoutError.
        """
        answers: list[Answer | None] = [None] * len(requests)
        left = iter(enumerate(requests))
        async with asyncio.timeout(ANSWERS_S):
            await asyncio.gather(*(_work(line, left, answers) for line in self._lines))
        return [answer for answer in answers if answer is not None]


async def send_all(
    port: int, requests: Sequence[bytes], connections: int = AT_ONCE
) -> list[Answer]:
    """Send requests over some connections that are kept; return the answers in their order."""
    async with Lines.open(port, min(connections, len(requests))) as lines:
        return await lines.send_all(requests)


async def send_apart(port: int, requests: Sequence[bytes], at_once: int = AT_ONCE) -> list[Answer]:
    """Send requests, each over a connection of its own; return the answers."""
    left = iter(requests)
    answers: list[Answer] = []

    async def work() -> None:
        for request in left:
            line = await Line.open(port)
            answers.append(await line.send(request))
            line.close()

    await asyncio.gather(*(work() for _ in range(at_once)))
    return answers


async def _work(
    line: Line, requests: Iterator[tuple[int, bytes]], answers: list[Answer | None]
) -> None:
    """Send requests as long as there are any."""
    for number, request in requests:
        answers[number] = await line.exchange(request)


def _values(head: bytes, name: str) -> list[str]:
    found = []
    for line in head.split(b"\r\n")[1:]:
        field, _, value = line.partition(b":")
        if field.lower() == name.lower().encode():
            found.append(value.strip().decode())
    return found
