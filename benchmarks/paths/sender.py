"""Requests over connections that are kept, or a connection for each; every answer is returned."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import NamedTuple

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


class _Line(asyncio.Protocol):
    """A connection that sends one request after the other, as long as there are any."""

    def __init__(self, requests: Iterator[tuple[int, bytes]], answers: list[Answer | None]) -> None:
        self._requests = requests
        self._answers = answers
        self._received = b""
        self._number = -1
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._send_next()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, rest = self._received.partition(b"\r\n\r\n")
        if not found or len(rest) < _length(head):
            return
        self._answers[self._number] = Answer(int(head[9:12]), head, rest)
        self._received = b""
        self._send_next()

    def connection_lost(self, _: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(BenchmarkError("a server closed a connection"))

    def _send_next(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self.done.set_result(None)
            self._transport.close()
        else:
            self._number, text = request
            self._transport.write(text)


async def send_all(
    port: int, requests: Sequence[bytes], connections: int = CONNECTIONS
) -> list[Answer]:
    """Send requests over some connections, each when the one before is answered.

    Return the answers in the order of the requests. May raise BenchmarkError.
    """
    loop = asyncio.get_running_loop()
    answers: list[Answer | None] = [None] * len(requests)
    numbered = iter(enumerate(requests))
    lines = []
    for _ in range(min(connections, len(requests))):
        made = await loop.create_connection(lambda: _Line(numbered, answers), "127.0.0.1", port)
        lines.append(made[1])
    async with asyncio.timeout(ANSWERS_TIMEOUT_S):
        await asyncio.gather(*(line.done for line in lines))
    return [answer for answer in answers if answer is not None]


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0
