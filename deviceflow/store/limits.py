"""Limits on how often something may be tried, over all servers together."""

import secrets
from collections.abc import Callable
from math import ceil
from typing import NamedTuple

from deviceflow.store import keyspace, scripts
from deviceflow.store.connection import Connection
from deviceflow.store.installation import Installation


class LimitResult(NamedTuple):
    """Whether a try is within the limit; if not, in how many s the next one may be."""

    allowed: bool
    retry_after_s: int


def _ignore(_: str) -> None:
    return None


class Limits:
    """The door to counts of tries. Every method may raise StoreUnavailable.

    `on_refusal` is called with the name of a limit that refuses a try.
    """

    def __init__(self, connection: Connection, installation: Installation) -> None:
        self._connection = connection
        self._installation = installation
        self.on_refusal: Callable[[str], None] = _ignore

    async def hit(
        self,
        name: str,
        key: str,
        *,
        limit: int,
        window_s: int,
        longest_delay_s: int = 0,
        try_id: str = "",
    ) -> LimitResult:
        """Count a try of `name` by `key` (an account, an address): `limit` in any `window_s` s.

        Beyond the limit the try is refused and not counted. With `longest_delay_s` it is only
        refused if it comes too soon after the try before: in 1 s for the first one beyond the
        limit, then in 2 s, 4 s and so on, up to `longest_delay_s`. `try_id` is for `forgive`.
        """
        wait_ms = await scripts.hit(
            self._connection,
            self._counter(name, key),
            try_id or secrets.token_hex(8),
            window_ms=window_s * 1000,
            limit=limit,
            longest_delay_ms=longest_delay_s * 1000,
        )
        if wait_ms:
            self.on_refusal(name)
        return LimitResult(allowed=wait_ms == 0, retry_after_s=ceil(wait_ms / 1000))

    async def forgive(self, name: str, key: str, try_id: str) -> None:
        """Take back a try that should not count."""
        await scripts.forgive(self._connection, self._counter(name, key), try_id)

    async def forget(self, name: str, key: str) -> None:
        """Take back all tries of `name` by `key`."""
        await self._connection.command("DEL", self._counter(name, key))

    def _counter(self, name: str, key: str) -> str:
        return keyspace.limit(name, self._installation.hidden_name(b"limit", key.encode()))
