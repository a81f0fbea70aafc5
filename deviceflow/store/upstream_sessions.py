"""Which sessions a provider can end (OpenID Connect Back-Channel Logout 1.0).

For each person at a provider, and for each session there that has a name (`sid`), the names of the
sessions here. A session that ended by itself stays listed until it would have ended anyway.

A sign-in takes a moment, and the provider may end its session meanwhile. So the end of a session
that has a name is noted for some minutes: of the two, the one that comes later finds the other.
"""

from typing import NamedTuple

from deviceflow.core.clock import Clock
from deviceflow.store import keyspace
from deviceflow.store.connection import Connection
from deviceflow.store.installation import Installation

NOTED_S = 600
"""How long the end of a provider's session is noted: longer than a sign-in is on its way."""


_SKEW_S = 1
"""How far the clocks of hosts may differ (docs/operations/store.md)."""


class ProviderSession(NamedTuple):
    """A session at a provider. `subject` or `sid` may be empty, but not both."""

    provider: str
    subject: str
    sid: str


class UpstreamSessions:
    """The door to this index. Every method may raise StoreUnavailable."""

    def __init__(
        self, connection: Connection, installation: Installation, lifetime_s: int, clock: Clock
    ) -> None:
        self._connection = connection
        self._installation = installation
        self._lifetime_s = lifetime_s
        self._clock = clock

    async def note(self, origin: ProviderSession, name: str, since: float) -> bool:
        """Note that the session `name` comes from `origin`.

        Return False if the provider has ended that session since the sign-in began, at `since` (s).
        """
        now = int(self._clock())
        for key in self._keys(origin):
            await self._connection.batch(
                ("ZREMRANGEBYSCORE", key, "-inf", now),
                ("ZADD", key, now + self._lifetime_s, name),
                ("EXPIRE", key, self._lifetime_s),
            )

        if not origin.sid:
            return True
        ended = await self._connection.command("GET", self._ended_key(origin))
        return ended is None or float(ended) < since - _SKEW_S

    async def end(self, origin: ProviderSession) -> int:
        """End the sessions that come from `origin`; return how many there were.

        With a `sid`, only those of that session there; otherwise all of the person's.
        """
        ended = 0
        if origin.sid:
            at = str(self._clock())
            await self._connection.command("SET", self._ended_key(origin), at, "EX", NOTED_S)
        key = self._keys(origin)[-1]
        for name in await self._connection.command("ZRANGE", key, 0, -1):
            ended += await self._connection.command("DEL", keyspace.session(name.decode()))
        await self._connection.command("DEL", key)
        return ended

    def _ended_key(self, origin: ProviderSession) -> str:
        return keyspace.ended_upstream(self._name(origin.provider, "sid", origin.sid))

    def _name(self, provider: str, kind: str, value: str) -> str:
        return self._installation.name(b"upstream", f"{provider} {kind} {value}".encode())

    def _keys(self, origin: ProviderSession) -> list[str]:
        """List the keys of the person and of the session there; the narrower one is the last."""
        named = (("sub", origin.subject), ("sid", origin.sid))
        return [
            keyspace.upstream_sessions(self._name(origin.provider, kind, value))
            for kind, value in named
            if value
        ]
