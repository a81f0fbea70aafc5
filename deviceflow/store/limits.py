"""Limits on how often something may be tried, counted for all servers together."""

from math import ceil
from typing import NamedTuple

from deviceflow.store.connection import Connection
from deviceflow.store.installation import Installation


class LimitResult(NamedTuple):
    """Whether this try is within the limit; if not, after how many s the next one may be."""

    allowed: bool
    retry_after_s: int


class Limits:
    """The door to counters. Every method raises StoreUnavailable."""

    def __init__(self, connection: Connection, installation: Installation) -> None:
        self._connection = connection
        self._installation = installation

    async def hit(self, name: str, key: str, *, limit: int, window_s: int) -> LimitResult:
        """Count a try of `name` by `key` (an account, an address): `limit` in `window_s` s."""
        counter = self._counter(name, key)
        tries, left_ms = await self._connection.run("hit", [counter], window_s * 1000)
        return LimitResult(tries <= limit, 0 if tries <= limit else ceil(left_ms / 1000))

    async def forgive(self, name: str, key: str) -> None:
        """Take one try back, for what turns out to have been none. The window goes on."""
        await self._connection.run("forgive", [self._counter(name, key)])

    def _counter(self, name: str, key: str) -> str:
        return f"df:l:{name}:{self._installation.name(b'limit', key.encode())}"
