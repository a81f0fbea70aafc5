"""The line between the supervisor and a worker: single bytes over a pair of connected sockets.

The supervisor gives orders, the worker reports how far it has come. The end of the line says that
the supervisor is gone: the kernel closes its end even after a SIGKILL.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum

_READ_BYTES = 64


class Order(Enum):
    """What the supervisor tells a worker.

    SERVE: accept connections. RETIRE: another worker has taken the sockets over, so end without
    losing a request. STOP is never sent: it is SIGTERM, or the end of the line.
    """

    SERVE = b"s"
    RETIRE = b"r"
    STOP = b""


class Report(Enum):
    """What a worker tells the supervisor: all that can fail is done, and connections are taken."""

    PREPARED = b"p"
    SERVING = b"s"


class WorkerLine:
    """The worker's end. `given`: the orders so far."""

    def __init__(self, sock: socket.socket) -> None:
        self.given: set[Order] = set()
        self._sock = sock
        self._changed = asyncio.Event()

    def report(self, report: Report) -> None:
        """Send a report."""
        with suppress(OSError):  # the supervisor is gone, and the line will say so
            self._sock.send(report.value)

    def take(self, order: Order) -> None:
        """Note an order."""
        self.given.add(order)
        self._changed.set()

    async def until(self, *orders: Order) -> None:
        """Wait for one of these orders."""
        while self.given.isdisjoint(orders):
            self._changed.clear()
            await self._changed.wait()

    def read(self) -> None:
        """Take what has arrived on the line."""
        try:
            data = self._sock.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._sock)
            self.take(Order.STOP)
        for number in data:
            self.take(Order(bytes([number])))


@asynccontextmanager
async def listening(sock: socket.socket) -> AsyncIterator[WorkerLine]:
    """Take the orders that come over `sock`, as long as the block lasts."""
    line, loop = WorkerLine(sock), asyncio.get_running_loop()
    sock.setblocking(False)  # noqa: FBT003, the socket's own signature
    loop.add_reader(sock, line.read)
    try:
        yield line
    finally:
        loop.remove_reader(sock)
