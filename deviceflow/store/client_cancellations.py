"""The cancellation of all waiting grants of a client, at once and however many they are.

No index says which grants of a client wait. But each grant id begins with a number from one
counter, so one mark for each client is enough: the number up to which all its grants are
cancelled. Every worker has the marks in its mirror, and compares the id in a device code with that
of its client (docs/decisions/0039). They are read with the clients, so a new one reaches all
workers at once, at the latest within a second, and every worker that starts.
"""

from deviceflow.core.device_code import NONCE_BITS
from deviceflow.store import keyspace
from deviceflow.store.announcements import announce_change
from deviceflow.store.connection import Connection
from deviceflow.store.mirror import Mirror

MARK_KEPT_S = 90_000
"""An hour longer than the longest life of a grant (`core.client.Lifetime`)."""


class ClientCancellations:
    """The door to the marks. Every coroutine may raise StoreUnavailable."""

    def __init__(self, connection: Connection, mirror: Mirror) -> None:
        self._connection = connection
        self._mirror = mirror

    async def read(self) -> None:
        """Bring the marks of the store into the mirror."""
        stored = await self._connection.command("HGETALL", keyspace.CLIENT_CANCELLATIONS)
        self._mirror.adopt_cancellations({name: int(mark) for name, mark in stored.items()})

    async def cancel(self, client_id: str) -> None:
        """Cancel every grant of a client that has no tokens yet, and tell all workers.

        A grant that is being issued at this moment may be among them.
        """
        last = int(await self._connection.command("GET", keyspace.SLOTS) or 0)
        first_kept = (last + 1) << NONCE_BITS
        await self._connection.batch_durably(
            ("HSET", keyspace.CLIENT_CANCELLATIONS, client_id, first_kept),
            ("EXPIRE", keyspace.CLIENT_CANCELLATIONS, MARK_KEPT_S),
        )
        await announce_change(self._connection)
