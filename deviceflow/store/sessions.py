"""Sessions of people who have signed in. Only a hash of a session's id is stored."""

import secrets

import msgspec

from deviceflow.store import keyspace
from deviceflow.store.connection import Connection
from deviceflow.store.installation import Installation
from deviceflow.store.records import RecordKind, read_record, write_record

BY_PASSWORD = ("pwd",)
"""The `amr` of a person who has typed a password, also of sessions that say nothing of it."""


class UpstreamSession(msgspec.Struct, frozen=True):
    """The session at a provider that a session comes from.

    `provider`: its id in the settings. `id_token`: the hint with which it is ended there.
    """

    provider: str
    id_token: str = ""


class Session(msgspec.Struct, frozen=True):
    """The person who signed in, when (s), and how.

    `amr`: the methods (RFC 8176). `acr`: the level of assurance (OpenID Connect Core 2).
    `upstream`: for a person who has signed in at a provider.
    """

    username: str
    sub: str
    auth_time: int
    amr: tuple[str, ...] = BY_PASSWORD
    acr: str | None = None
    upstream: UpstreamSession | None = None


class Sessions:
    """The door to sessions. Every method may raise StoreUnavailable."""

    def __init__(self, connection: Connection, installation: Installation, lifetime_s: int) -> None:
        self._connection = connection
        self._installation = installation
        self._lifetime_s = lifetime_s

    async def start(self, session: Session) -> str:
        """Begin a session; return its id: 43 characters, 256 random bits."""
        session_id = secrets.token_urlsafe(32)
        record = write_record(session)
        await self._connection.command("SET", self._key(session_id), record, "EX", self._lifetime_s)
        return session_id

    async def get(self, session_id: str) -> Session | None:
        """Return the session of that id, or None."""
        record = await self._connection.command("GET", self._key(session_id))
        return read_record(record, RecordKind.SESSION, Session) if record else None

    async def end(self, session_id: str) -> None:
        """End a session: the person signs out."""
        await self._connection.command("DEL", self._key(session_id))

    def name(self, session_id: str) -> str:
        """Return the name under which a session is stored: a hash of its id."""
        return self._installation.name(b"session", session_id.encode())

    def _key(self, session_id: str) -> str:
        return keyspace.session(self.name(session_id))
