"""The decision log: hints that something may have happened to a grant, over all hosts.

A hint comes before the change that it is about. So a worker that reads the log (`feed`) asks about
every grant that may have been decided, also if the process that decided died right after.
"""

from collections.abc import Sequence
from typing import NamedTuple

from deviceflow.core.clock import Clock
from deviceflow.store import keyspace
from deviceflow.store.connection import Connection
from deviceflow.store.shared_trips import SharedTrips

LOG_KEPT_S = 86_400 + 3600


class Hint(NamedTuple):
    """A grant to ask about, and when it ends, in s."""

    grant_id: int
    expires_at: int


class DecisionLog:
    """Writes hints, which callers at the same time do together, and lists the newest.

    Every coroutine may raise StoreUnavailable.
    """

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._hints = SharedTrips(self._write)

    async def note(self, hint: Hint) -> None:
        """Write a hint. It comes before the change of the grant.

        With replicas, it also shows whether they answer: if they do not, nothing has changed.
        """
        await self._hints.send(hint)

    async def newest(self, count: int) -> dict[int, float]:
        """Return the grants in the newest `count` entries, and when each was noted last (s)."""
        entries = await self._connection.command(
            "XREVRANGE", keyspace.DECISIONS, "+", "-", "COUNT", count
        )
        newest: dict[int, float] = {}
        for entry, fields in entries:
            if b"g" in fields:
                at = int(entry.partition(b"-")[0]) / 1000
                newest.setdefault(int(fields[b"g"], 16), at)
        return newest

    async def _write(self, hints: Sequence[Hint]) -> list[object]:
        oldest = max(0, int(self._clock() - LOG_KEPT_S) * 1000)
        start = ("XADD", keyspace.DECISIONS, "MINID", "~", oldest, "*")
        entries = [(*start, "g", f"{hint.grant_id:x}", "x", str(hint.expires_at)) for hint in hints]
        expiry = ("EXPIRE", keyspace.DECISIONS, LOG_KEPT_S)
        answers = await self._connection.batch_durably(*entries, expiry)
        return answers[: len(entries)]
