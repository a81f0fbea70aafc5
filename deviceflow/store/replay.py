"""Ids that may be used once: those of client assertions and of DPoP proofs.

They are remembered in the store, so an id stays used across workers, hosts and restarts.
"""

import secrets

from deviceflow.store import keyspace, scripts
from deviceflow.store.connection import Connection
from deviceflow.store.installation import Installation


class Replay:
    """The door to used ids. Every method may raise StoreUnavailable."""

    def __init__(self, connection: Connection, installation: Installation) -> None:
        self._connection = connection
        self._installation = installation

    async def use(self, kind: str, owner: str, jti: str, keep_s: int) -> bool:
        """Use the id `jti` of `owner`; return False if it was used in the last `keep_s` s."""
        # JSON can spell half a surrogate pair, which is no UTF-8.
        value = f"{len(owner)}:{owner}{jti}".encode(errors="surrogatepass")
        name = self._installation.name(b"jti", value)
        key = keyspace.used(kind, name)
        return await scripts.take(self._connection, key, secrets.token_hex(8), "EX", max(1, keep_s))
