"""When an operator has ended all grants of a client.

One mark for each client, in every worker's memory: a token is compared with it at no cost, however
many tokens there are. The marks are read with the clients, so a new one reaches all workers at
once, at the latest within a second.
"""

from deviceflow.store import keyspace
from deviceflow.store.announcements import announce_change
from deviceflow.store.connection import Connection

KEPT_FOR_S = 315_360_000
"""No grant lives longer, whatever the settings are (`config` allows no more)."""

REVOCATION_SKEW_S = 1
"""How far the clocks of hosts and of the store may differ (docs/operations/store.md)."""


class ClientRevocations:
    """The door to the marks. Every coroutine may raise StoreUnavailable."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._marks: dict[str, float] = {}

    async def read(self) -> None:
        """Read the marks as they are in the store."""
        stored = await self._connection.command("HGETALL", keyspace.CLIENT_REVOCATIONS)
        self._marks = {name.decode(): float(mark) for name, mark in stored.items()}

    async def revoke(self, client_id: str) -> None:
        """End everything that was approved for a client until now, and tell all workers."""
        seconds, microseconds = await self._connection.command("TIME")
        mark = f"{int(seconds)}.{int(microseconds):06}"
        await self._connection.batch_durably(
            ("HSET", keyspace.CLIENT_REVOCATIONS, client_id, mark),
            ("EXPIRE", keyspace.CLIENT_REVOCATIONS, KEPT_FOR_S),
        )
        await announce_change(self._connection)

    def ends(self, client_id: str, issued_at: float) -> bool:
        """Return whether a token that a host issued at that time (s) was ended.

        A token of the second after it may be, too.
        """
        return self.ends_approval(client_id, issued_at - REVOCATION_SKEW_S)

    def ends_approval(self, client_id: str, approved_at: float) -> bool:
        """Return whether an approval of that time (s, by the store's clock) was ended.

        On a Cluster, the clocks are those of two nodes.
        """
        mark = self._marks.get(client_id)
        return mark is not None and approved_at <= mark
