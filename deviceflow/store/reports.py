"""Reports: people say that somebody sent them a code (RFC 8628 5.4).

They are counted over all hosts for a day, by client and by the address of the device, so that an
operator sees a wave of phishing and where it comes from. A grant counts once, however often a
person or a lost answer reports it.
"""

from typing import NamedTuple

from deviceflow.core.clock import Clock
from deviceflow.store import keyspace
from deviceflow.store.connection import Connection
from deviceflow.store.installation import Installation

REPORTS_KEPT_S = 86_400
MOST_KEPT = 10_000
"""The most grants that are kept of one client or address; more tell an operator nothing new."""


class ReportCounts(NamedTuple):
    """The reports of the last day, this one included. `is_new`: the grant was not reported yet."""

    is_new: bool
    of_client: int
    of_address: int


class Reports:
    """The door to reports. Every method may raise StoreUnavailable."""

    def __init__(self, connection: Connection, installation: Installation, clock: Clock) -> None:
        self._connection = connection
        self._installation = installation
        self._clock = clock

    async def add(self, grant: str, client_id: str, address: str) -> ReportCounts:
        """Report a grant, by its name in the log. `address`: as limits count it, or empty."""
        is_new, of_client = await self._add("client", client_id, grant)
        _, of_address = await self._add("address", address, grant) if address else (False, 0)
        return ReportCounts(is_new, of_client, of_address)

    async def _add(self, kind: str, subject: str, grant: str) -> tuple[bool, int]:
        now = int(self._clock())
        key = keyspace.reports(kind, self._installation.hidden_name(b"report", subject.encode()))
        added, _, count, _ = await self._connection.batch(
            ("ZADD", key, now, grant),
            ("ZREMRANGEBYSCORE", key, 0, now - REPORTS_KEPT_S),
            ("ZCARD", key),
            ("EXPIRE", key, REPORTS_KEPT_S),
        )
        if count > MOST_KEPT:
            await self._connection.command("ZREM", key, grant)
        return added == 1, min(count, MOST_KEPT)
