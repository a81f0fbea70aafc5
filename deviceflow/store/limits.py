"""Limits on how often something may be tried, over all servers together."""

from math import ceil
from typing import NamedTuple

from deviceflow.store import keyspace, scripts
from deviceflow.store.connection import Connection
from deviceflow.store.installation import Installation


class LimitResult(NamedTuple):
    """Whether a try is within the limit; if not, in how many s the next one may be."""

    allowed: bool
    retry_after_s: int


class Limits:
    """The door to counters of tries. Every method may raise StoreUnavailable."""

    def __init__(self, connection: Connection, installation: Installation) -> None:
        self._connection = connection
        self._installation = installation

    async def hit(self, name: str, key: str, *, limit: int, window_s: int) -> LimitResult:
        """Count a try of `name` by `key` (an account, an address): `limit` in `window_s` s.

        A try whose answer is lost counts twice.
        """
        counter = self._counter(name, key)
        window = await scripts.hit(self._connection, counter, window_ms=window_s * 1000)
        if window.tries <= limit:
            return LimitResult(allowed=True, retry_after_s=0)
        return LimitResult(allowed=False, retry_after_s=ceil(window.left_ms / 1000))

    async def forgive(self, name: str, key: str) -> None:
        """Take back one try, which turned out not to be one. The window goes on."""
        await scripts.forgive(self._connection, self._counter(name, key))

    def _counter(self, name: str, key: str) -> str:
        return keyspace.limit(name, self._installation.name(b"limit", key.encode()))
