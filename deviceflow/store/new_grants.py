"""New grants on their way into the store.

A grant has two keys, in two hash slots: the grant, and the user code that leads to it. Both are
written at the same time, and a device has its codes only when both are there. If one is missing,
because the store went away, nobody has a code that leads to the other; it ends by its TTL.
"""

from collections.abc import Mapping

from deviceflow.store import keyspace, scripts
from deviceflow.store.connection import Connection
from deviceflow.store.installation import Installation
from deviceflow.store.shapes import Value

KEPT_AFTER_EXPIRY_MS = 60_000


class NewGrants:
    """Stores new grants. Every coroutine may raise StoreUnavailable."""

    def __init__(self, connection: Connection, installation: Installation) -> None:
        self._connection = connection
        self._installation = installation

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
        return await scripts.create_grant(self._connection.aside, grant)


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
