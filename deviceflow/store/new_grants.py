"""New grants on their way into the store.

A grant has two keys, in two hash slots: the grant, and the user code that leads to it. Both are
written at the same time, and a device has its codes only when both are there. If one is missing,
because the store went away, nobody has a code that leads to the other; it ends by its TTL.

Grants that become ready while others are being stored wait for them, and are stored together. A
trip costs a worker as much as many commands in it, and a caller of its own in a shared trip
(`trips`) still costs more than its two commands do.
"""

from collections.abc import Mapping, Sequence

from deviceflow.store import keyspace, scripts
from deviceflow.store.connection import Connection
from deviceflow.store.installation import Installation
from deviceflow.store.shapes import Value
from deviceflow.store.shared_trips import SharedTrips
from deviceflow.store.trips import MOST_COMMANDS

KEPT_AFTER_EXPIRY_MS = 60_000

MOST_TOGETHER = MOST_COMMANDS // 2
"""Each grant is two commands."""


class NewGrants:
    """Stores new grants. Every coroutine may raise StoreUnavailable."""

    def __init__(self, connection: Connection, installation: Installation) -> None:
        self._connection = connection
        self._installation = installation
        self._together = SharedTrips(self._store_all, MOST_TOGETHER)

    async def store(
        self, grant_id: int, user_code: str, fields: Mapping[str, Value], expires_at: int
    ) -> bool:
        """Store a grant; return False if its user code or its id is another grant's."""
        index, *others = user_code_keys(self._installation, user_code)
        for other in others:
            # Under a name of keys that still serve, for they were replaced a short time ago.
            if await self._connection.aside.command("EXISTS", other):
                return False
        grant = scripts.NewGrant(
            key=grant_key(self._installation, grant_id),
            code_key=index,
            mark=f"{grant_id:x}",
            fields=fields,
            expires_at=expires_at,
            kept_ms=KEPT_AFTER_EXPIRY_MS,
        )
        if not self._connection.shape.is_one_server:
            # A part of a Cluster that is away must not hold up the grants of the others.
            return await scripts.create_grant(self._connection.aside, grant)
        answer = await self._together.send(grant)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def _store_all(
        self, grants: Sequence[scripts.NewGrant]
    ) -> Sequence[bool | BaseException]:
        return await scripts.create_grants(self._connection.aside, grants)


def grant_key(installation: Installation, grant_id: int) -> str:
    """Return the key of a grant."""
    return keyspace.grant(grant_name(installation, grant_id))


def grant_name(installation: Installation, grant_id: int) -> str:
    """Return the name that a grant shares with its family of refresh tokens."""
    return installation.name(b"grant", grant_id.to_bytes(8))


def user_code_keys(installation: Installation, user_code: str) -> list[str]:
    """List the keys under which a code may be: the first one is for new grants."""
    names = installation.hidden_names(b"user code", user_code.encode())
    return [keyspace.user_code(name) for name in names]
