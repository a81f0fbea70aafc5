"""Which sessions a provider can end (OpenID Connect Back-Channel Logout 1.0).

For each person at a provider, and for each session there that has a name (`sid`), the names of the
sessions here. A session that ended by itself stays listed until it would have ended anyway.
"""

from typing import NamedTuple

from deviceflow.core.clock import Clock
from deviceflow.store import keyspace
from deviceflow.store.connection import Connection
from deviceflow.store.installation import Installation


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

    async def note(self, origin: ProviderSession, name: str) -> None:
        """Note that the session `name` comes from `origin`."""
        now = int(self._clock())
        for key in self._keys(origin):
            await self._connection.batch(
                ("ZREMRANGEBYSCORE", key, "-inf", now),
                ("ZADD", key, now + self._lifetime_s, name),
                ("EXPIRE", key, self._lifetime_s),
            )

    async def end(self, origin: ProviderSession) -> int:
        """End the sessions that come from `origin`; return how many there were.

        With a `sid`, only those of that session there; otherwise all of the person's.
        """
        ended = 0
        key = self._keys(origin)[-1]
        for name in await self._connection.command("ZRANGE", key, 0, -1):
            ended += await self._connection.command("DEL", keyspace.session(name.decode()))
        await self._connection.command("DEL", key)
        return ended

    def _keys(self, origin: ProviderSession) -> list[str]:
        """List the keys of the person and of the session there; the narrower one is the last."""
        named = (("sub", origin.subject), ("sid", origin.sid))
        return [
            keyspace.upstream_sessions(
                self._installation.name(b"upstream", f"{origin.provider} {kind} {value}".encode())
            )
            for kind, value in named
            if value
        ]
