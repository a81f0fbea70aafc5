"""Things that may be used once: the ids of client assertions and of DPoP proofs.

The memory is the store's, so an id stays used across workers, hosts and restarts.
"""

import secrets

from deviceflow.store.connection import Connection
from deviceflow.store.installation import Installation


class Replay:
    """The door to used ids. Every method raises StoreUnavailable."""

    def __init__(self, connection: Connection, installation: Installation) -> None:
        self._connection = connection
        self._installation = installation

    async def use(self, kind: str, who: str, jti: str, keep_s: int) -> bool:
        """Use `jti` of `who`; False if it was used before. It is remembered for `keep_s` s."""
        # JSON can spell half a surrogate pair, which is no UTF-8.
        value = f"{len(who)}:{who}{jti}".encode(errors="surrogatepass")
        name = self._installation.name(b"jti", value)
        key = f"df:j:{kind}:{name}"
        return await self._connection.take(key, secrets.token_hex(8), "EX", max(1, keep_s))
