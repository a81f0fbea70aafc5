"""Sessions of people who have signed in. Only a hash of a session's id is stored.

A person's sessions are listed under a hash of the subject. The list is written first, so no session
is on no list; what has ended leaves it when it is read.
"""

import asyncio
import secrets
from typing import NamedTuple

import msgspec

from deviceflow.core.assurance import BY_PASSWORD
from deviceflow.store import keyspace
from deviceflow.store.connection import Connection
from deviceflow.store.device_index import person_name
from deviceflow.store.installation import Installation
from deviceflow.store.records import RecordKind, read_record, write_record

LONGEST_S = 2_592_000
"""No session lives longer, whatever the settings are or were (`config` allows no more)."""

SHOWN = 50
"""The sessions that are listed for a person: the newest ones."""

_AT_ONCE = 32


class UpstreamSession(msgspec.Struct, frozen=True):
    """The session at a provider that a session comes from.

    `provider`: its id in the settings. `id_token`: the hint with which it is ended there.
    """

    provider: str
    id_token: str = ""


class Session(msgspec.Struct, frozen=True):
    """The person who signed in, when (s), and how.

    `amr`: the methods (RFC 8176). `acr`: the level of assurance (OpenID Connect Core 2). `browser`:
    a stored `DeviceDescription`. `address`: where the person signed in. `upstream`: for a person
    who has signed in at a provider. `mark`: the account's for sessions when the sign-in began
    (`core.account_marks`), None if an older version began it. `credential`: the account's
    `file_credential` then, '' for a user of the store.
    """

    username: str
    sub: str
    auth_time: int
    amr: tuple[str, ...] = BY_PASSWORD  # also of sessions that say nothing of it
    acr: str | None = None
    browser: str = ""
    address: str = ""
    upstream: UpstreamSession | None = None
    mark: int | None = None
    credential: str = ""


class NamedSession(NamedTuple):
    """A session, and the name that it has in the store, which is no secret."""

    name: str
    session: Session


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
        await self._list(session, self.name_of(session_id))
        await self._connection.command("SET", self._key(session_id), record, "EX", self._lifetime_s)
        return session_id

    async def renew(self, session_id: str, session: Session) -> str:
        """Replace the record of a session; return the id that it has from now on.

        It ends when it would have ended. A session of a provider keeps its id, because the
        provider's logout names it; any other gets a new one, so that a copy of the old id is worth
        nothing.
        """
        key = self._key(session_id)
        left_ms = max(1, await self._connection.command("PTTL", key))
        if session.upstream is None:
            await self._connection.command("DEL", key)
            session_id = secrets.token_urlsafe(32)
            await self._list(session, self.name_of(session_id))
        record = write_record(session)
        await self._connection.command("SET", self._key(session_id), record, "PX", left_ms)
        return session_id

    async def get(self, session_id: str) -> Session | None:
        """Return the session of that id, or None."""
        record = await self._connection.command("GET", self._key(session_id))
        return read_record(record, RecordKind.SESSION, Session) if record else None

    async def end(self, session_id: str) -> None:
        """End a session: the person signs out."""
        await self._connection.command("DEL", self._key(session_id))

    async def of(self, sub: str) -> list[NamedSession]:
        """Return the sessions of a person, newest first, SHOWN at most."""
        names = await self._names(sub, SHOWN)
        found = await asyncio.gather(*(self._named(sub, name) for name in names))
        ended = [name for name, each in zip(names, found, strict=True) if each is None]
        await self._unlist(sub, ended)
        return [session for session in found if session is not None]

    async def end_named(self, sub: str, name: str) -> bool:
        """End the session of that name; return False if the person has no such session."""
        if await self._named(sub, name) is None:
            return False
        await self._connection.command("DEL", keyspace.session(name))
        await self._unlist(sub, [name])
        return True

    async def end_all(self, sub: str, besides: str = "") -> int:
        """End all sessions of a person but that of the id `besides`; return how many there were."""
        kept = self.name_of(besides) if besides else ""
        ended = 0
        names = [name for name in await self._names(sub, 0) if name != kept]
        for start in range(0, len(names), _AT_ONCE):
            some = names[start : start + _AT_ONCE]
            ended += sum(
                await asyncio.gather(
                    *(self._connection.command("DEL", keyspace.session(name)) for name in some)
                )
            )
            await self._unlist(sub, some)
        return ended

    def name_of(self, session_id: str) -> str:
        """Return the name of a session in the store."""
        return self._installation.name(b"session", session_id.encode())

    async def _named(self, sub: str, name: str) -> NamedSession | None:
        """Return the session of that name if it is this person's."""
        record = await self._connection.command("GET", keyspace.session(name))
        session = read_record(record, RecordKind.SESSION, Session) if record else None
        return NamedSession(name, session) if session and session.sub == sub else None

    async def _names(self, sub: str, count: int) -> list[str]:
        """Return the names of the newest `count` sessions, 0 for all."""
        names = await self._connection.command("ZRANGE", self._list_key(sub), 0, count - 1, "REV")
        return [name.decode() for name in names]

    async def _list(self, session: Session, name: str) -> None:
        key, now = self._list_key(session.sub), session.auth_time
        await self._connection.batch(
            ("ZREMRANGEBYSCORE", key, "-inf", now),
            ("ZADD", key, now + self._lifetime_s, name),
            ("EXPIRE", key, LONGEST_S),
        )

    async def _unlist(self, sub: str, names: list[str]) -> None:
        if names:
            await self._connection.command("ZREM", self._list_key(sub), *names)

    def _list_key(self, sub: str) -> str:
        return keyspace.sessions_of(person_name(self._installation, sub))

    def _key(self, session_id: str) -> str:
        return keyspace.session(self.name_of(session_id))
