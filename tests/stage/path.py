"""A TCP path of the tests' own, which can be cut, held up, slowed down, or lose answers.

It leads to one of several ports in turn, so it is a balancer, too.
"""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import cycle
from typing import Self

READ_BYTES = 1 << 16


class Path:
    """A path from `port` to `targets`, all on 127.0.0.1.

    `delay_s`: how long each piece takes. `loses_answers`: what a target says is lost, and the
    connection with it. `drops`: each piece that a target says with these bytes in it is lost, and
    the connection goes on. `refuses`: no connection is made.
    """

    def __init__(self, *targets: int) -> None:
        self.port = 0
        self.delay_s = 0.0
        self.loses_answers = False
        self.refuses = False
        self.drops = b""
        self._targets = cycle(targets)
        self._flows = asyncio.Event()
        self._flows.set()
        self._open: set[StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def cut(self) -> None:
        """Break all connections that are open."""
        for writer in self._open:
            writer.transport.abort()

    def hold_up(self) -> None:
        """Let nothing through, and break nothing."""
        self._flows.clear()

    def heal(self) -> None:
        """Be a good path again."""
        self._flows.set()
        self.delay_s, self.loses_answers, self.refuses = 0.0, False, False
        self.drops = b""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Self]:
        """Carry what both sides say, as long as the block lasts."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, client: StreamReader, to_client: StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        with suppress(OSError, asyncio.CancelledError):
            await self._lead(client, to_client)
        to_client.transport.abort()

    async def _lead(self, client: StreamReader, to_client: StreamWriter) -> None:
        if self.refuses:
            return
        target, to_target = await asyncio.open_connection("127.0.0.1", next(self._targets))
        ends = {to_client, to_target}
        self._open |= ends
        there = asyncio.create_task(self._carry(client, to_target))
        back = asyncio.create_task(self._carry(target, to_client, answers=True))
        try:
            await asyncio.wait((there, back), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._open -= ends
            for task in (there, back):
                task.cancel()
            await asyncio.gather(there, back, return_exceptions=True)
            to_target.transport.abort()
            # Not abort: what was written must still arrive.
            to_client.close()
            with suppress(OSError):
                await to_client.wait_closed()

    async def _carry(
        self, source: StreamReader, sink: StreamWriter, *, answers: bool = False
    ) -> None:
        with suppress(OSError):
            while data := await source.read(READ_BYTES):
                await self._flows.wait()
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                if answers and self.loses_answers:
                    return
                if answers and self.drops and self.drops in data:
                    continue
                sink.write(data)
                await sink.drain()
