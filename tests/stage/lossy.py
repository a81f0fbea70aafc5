"""A network between a client and the store that can lose an answer.

The command is carried out, its answer never comes: what redis-py does then is to send the
command again over a new connection.
"""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self


class LossyPath:
    """A Unix socket that leads to another one, `url` for a client."""

    def __init__(self, socket_path: Path, target: Path) -> None:
        self.url = f"unix://{socket_path}"
        self.lost = 0
        self._socket_path = socket_path
        self._target = target
        self._victims = 0
        self._pattern = b""

    def lose_answers(self, pattern: bytes, times: int = 1) -> None:
        """Lose the answer to the next `times` commands that contain `pattern`."""
        self._pattern, self._victims = pattern, times

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Self]:
        """Carry what clients and the store say."""
        server = await asyncio.start_unix_server(self._carry, self._socket_path)
        try:
            yield self
        finally:
            server.close()

    async def _carry(self, client: StreamReader, to_client: StreamWriter) -> None:
        store, to_store = await asyncio.open_unix_connection(self._target)
        doomed = asyncio.Event()
        there = asyncio.create_task(self._carry_requests(client, to_store, doomed))
        back = asyncio.create_task(self._carry_answers(store, to_client, doomed))
        try:
            await asyncio.wait((there, back), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (there, back):
                task.cancel()
            for writer in (to_client, to_store):
                writer.close()

    async def _carry_requests(
        self, client: StreamReader, to_store: StreamWriter, doomed: asyncio.Event
    ) -> None:
        while request := await client.read(65536):
            if self._victims and self._pattern in request:
                self._victims -= 1
                doomed.set()
            to_store.write(request)

    async def _carry_answers(
        self, store: StreamReader, to_client: StreamWriter, doomed: asyncio.Event
    ) -> None:
        while answer := await store.read(65536):
            if doomed.is_set():
                self.lost += 1
                return
            to_client.write(answer)


@asynccontextmanager
async def lossy_path(target: Path) -> AsyncIterator[LossyPath]:
    """Open a path to the store's socket `target`."""
    with TemporaryDirectory(prefix="df-") as folder:
        async with LossyPath(Path(folder) / "lossy.sock", target).open() as path:
            yield path
