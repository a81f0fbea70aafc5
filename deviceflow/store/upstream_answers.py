"""Answers that a provider's page has posted, until the browser comes back for them by GET.

Browsers send no SameSite=Lax cookie with a POST from another site, so such a POST cannot tell whose
it is. The GET to which it leads can. The code waits here meanwhile: in the address, it would be in
histories and logs.
"""

import msgspec

from deviceflow.store import keyspace
from deviceflow.store.connection import Connection
from deviceflow.store.installation import Installation

ANSWER_KEPT_S = 60


class UpstreamAnswers:
    """The door to these answers. Every method may raise StoreUnavailable."""

    def __init__(self, connection: Connection, installation: Installation) -> None:
        self._connection = connection
        self._installation = installation

    async def keep(self, state: str, fields: dict[str, str]) -> None:
        """Keep the answer to the request with `state`."""
        record = msgspec.json.encode(fields)
        await self._connection.command("SET", self._key(state), record, "EX", ANSWER_KEPT_S)

    async def take(self, state: str) -> dict[str, str]:
        """Return the answer, and forget it. Without one, return no fields."""
        key = self._key(state)
        record = await self._connection.command("GET", key)
        if record is None:
            return {}
        await self._connection.command("DEL", key)
        return msgspec.json.decode(record, type=dict[str, str])

    def _key(self, state: str) -> str:
        return keyspace.upstream_answer(self._installation.name(b"answer", state.encode()))
