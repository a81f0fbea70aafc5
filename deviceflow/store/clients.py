"""Clients in the store, beside those in the configuration file.

A client of the store takes precedence over one of the same id in the file. Changes reach all
workers within a second.

Clients that register themselves have names of their own. Each name has an entry, which the script
that writes a client keeps: to see whether a name is taken costs the same for any number of clients.
"""

from collections.abc import Callable, Sequence
from hmac import compare_digest
from typing import NamedTuple, TypeVar

import structlog

from deviceflow.core.client import UNNAMED, Client
from deviceflow.core.display_text import comparison_key
from deviceflow.store import keyspace, scripts
from deviceflow.store.announcements import announce_client
from deviceflow.store.connection import Connection
from deviceflow.store.errors import NameTaken, RecordContended, RecordUnreadable
from deviceflow.store.records import RecordKind, read_record, write_record

TRIES = 50
"""How often a change is tried while others are faster: more than ever happens by chance."""

MENDED_AT_ONCE = 500
"""How many entries one call of the script mends: it holds up the store for a few milliseconds."""

UNREADABLE_NAME = "cannot be read"
"""The name of a client whose record cannot be read."""

KEYS = scripts.ClientKeys(keyspace.CLIENTS, keyspace.CLIENT_NAMES)

Changed = TypeVar("Changed", bound=Client | None)

log = structlog.get_logger()


class StoredClients:
    """The door to clients. Every method may raise StoreUnavailable."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[tuple[bytes, bytes], Client] = {}

    async def all(self) -> list[Client]:
        """Return every stored client, by id. A record that cannot be read is a disabled client.

        Without it the file's client of that id would be in force again, which may be enabled
        although the stored one is not.
        """
        stored = await self._connection.command("HGETALL", keyspace.CLIENTS)
        # Do not read or log a record again that has not changed.
        self._known = {
            (name, record): self._known.get((name, record)) or _readable(name, record)
            for name, record in stored.items()
        }
        return sorted(self._known.values(), key=lambda client: client.client_id)

    async def some(self, client_ids: Sequence[str]) -> dict[str, Client | None]:
        """Return stored clients by their ids as `all` does; None for one that is not there."""
        records = await self._connection.command("HMGET", keyspace.CLIENTS, *client_ids)
        return {
            client_id: None if record is None else _readable(client_id.encode(), record)
            for client_id, record in zip(client_ids, records, strict=True)
        }

    async def find(self, client_id: str, token_hash: str = "") -> Client | None:
        """Return the stored client of that id, or None. May raise RecordUnreadable.

        With `token_hash`, only the client that this registration access token manages.
        """
        record = await self._read(client_id, token_hash)
        return None if record is None else _client(client_id, record)

    async def put(self, client: Client) -> None:
        """Store a client over whatever is there. May raise RecordContended."""
        await self._replace(client.client_id, lambda _: client, _Terms())

    async def register(self, client: Client, token_hash: str) -> None:
        """Store a new client with the hash of its registration access token (RFC 7592).

        Raises NameTaken if another stored client has its name.
        """
        # In this order: there is never a client that its registrant cannot manage.
        await self.put_registration(client.client_id, token_hash)
        try:
            await self._replace(client.client_id, lambda _: client, _Terms(is_own_name=True))
        except NameTaken:
            await self._end_registration(client.client_id)
            raise

    async def change(
        self,
        client_id: str,
        edit: Callable[[Client | None], Changed],
        token_hash: str = "",
        *,
        is_own_name: bool = False,
    ) -> Changed:
        """Store what `edit` makes of the client and return it; None removes the client.

        `edit` receives what `find` returns, and may raise: then nothing changes. If another
        caller was faster, `edit` is called again, with the client as it is by then. So no other
        change is lost, and no change brings back a client that was removed after it began. With
        `is_own_name`, a new name must be no other stored client's. May raise RecordUnreadable,
        RecordContended and NameTaken.
        """

        def edit_record(record: bytes | None) -> Changed:
            return edit(None if record is None else _client(client_id, record))

        terms = _Terms(token_hash, is_own_name=is_own_name)
        after = await self._replace(client_id, edit_record, terms)
        if after is None:
            await self._end_registration(client_id)
        return after

    async def remove(self, client_id: str) -> bool:
        """Forget a client and its registration; return False if there is no such client.

        May raise RecordContended.
        """
        # In this order: a client that comes back under this id must not be managed with the old
        # registration.
        await self._end_registration(client_id)
        was_there = False

        def note(record: bytes | None) -> None:
            nonlocal was_there
            was_there = record is not None

        await self._replace(client_id, note, _Terms())
        return was_there

    async def mend_names(self) -> None:
        """Bring the entries of names up to date with the clients that `all` has returned.

        A version without such entries may have written the store. While such a version runs beside
        this one, its clients have no entries until the next start.
        """
        right = {
            f"{comparison_key(client.name)} ".encode() + stored[0]: stored
            for stored, client in self._known.items()
            if client.name != UNREADABLE_NAME
        }
        records = dict(self._known.keys())
        entries = set(await self._connection.command("ZRANGE", keyspace.CLIENT_NAMES, 0, -1))
        mendings = [
            scripts.NameMending(*right[entry], right=entry) for entry in right.keys() - entries
        ]
        for entry in entries - right.keys():
            client_id = entry.rpartition(b" ")[2]
            record = records.get(client_id, b"")
            mendings.append(scripts.NameMending(client_id, record, wrong=entry))
        for start in range(0, len(mendings), MENDED_AT_ONCE):
            batch = mendings[start : start + MENDED_AT_ONCE]
            await scripts.mend_client_names(self._connection, KEYS, batch)

    async def put_registration(self, client_id: str, token_hash: str) -> None:
        """Store the hash of a registration access token (RFC 7592)."""
        await self._connection.command("HSET", keyspace.REGISTRATIONS, client_id, token_hash)

    async def _replace(
        self, client_id: str, edit: Callable[[bytes | None], Changed], terms: "_Terms"
    ) -> Changed:
        """Store what `edit` makes of a record; call it again if another caller was faster."""
        for _ in range(TRIES):
            record = await self._read(client_id, terms.token_hash)
            after = edit(record)
            before = scripts.ClientVersion(record or b"", _name_in(record))
            outcome = await scripts.change_named_client(
                self._connection,
                KEYS,
                client_id,
                before=before,
                after=_version(after, over=record or b""),
                is_own_name=terms.is_own_name and _is_new_name(record, after),
            )
            if outcome == "taken":
                raise NameTaken
            if outcome == "changed":
                await announce_client(self._connection, client_id)
                return after
        raise RecordContended(
            f"the client {client_id} was changed by others again and again, and is as they left"
            " it; try once more, or forget it: deviceflow clients remove " + client_id
        )

    async def _end_registration(self, client_id: str) -> None:
        await self._connection.command("HDEL", keyspace.REGISTRATIONS, client_id)

    async def _read(self, client_id: str, token_hash: str) -> bytes | None:
        record: bytes | None = await self._connection.command("HGET", keyspace.CLIENTS, client_id)
        if token_hash:
            known = await self._connection.command("HGET", keyspace.REGISTRATIONS, client_id)
            if not compare_digest(known or b"", token_hash.encode()):
                return None
        return record


class _Terms(NamedTuple):
    """Which client a change is for, and whether its name has to be its own."""

    token_hash: str = ""
    is_own_name: bool = False


def _version(client: Client | None, over: bytes) -> scripts.ClientVersion:
    if client is None:
        return scripts.ClientVersion()
    return scripts.ClientVersion(_record(client, over), comparison_key(client.name))


def _record(client: Client, over: bytes) -> bytes:
    """Return the record of a client.

    An older version must not ignore a rule about the client's grants. So such a record has version
    2, and all others have no member about it (docs/decisions/0025).
    """
    return write_record(client, over, version=2 if client.restricts_grants else 1)


def _read(record: bytes) -> Client:
    return read_record(record, RecordKind.CLIENT, Client)


def _name_in(record: bytes | None) -> str:
    """Return the folded name in a record; empty if there is none, or none that can be read.

    A folded name has no spaces, so its entry is split at the last one.
    """
    try:
        return comparison_key(_read(record).name) if record else ""
    except RecordUnreadable:
        return ""


def _is_new_name(record: bytes | None, after: Client | None) -> bool:
    """Return whether `after` gives the client a name that has to be its own."""
    if after is None or comparison_key(after.name) == comparison_key(UNNAMED):
        return False
    return record is None or _read(record).name != after.name


def _client(client_id: str, record: bytes) -> Client:
    try:
        return _read(record)
    except RecordUnreadable as error:
        raise RecordUnreadable(
            f"the record of the client {client_id} cannot be read: {error}. "
            f"To go on, {_remedy(client_id)}"
        ) from error


def _readable(name: bytes, record: bytes) -> Client:
    """Return the client of `record`, or a disabled one in its place if it cannot be read."""
    try:
        return _read(record)
    except RecordUnreadable as error:
        client_id = name.decode(errors="replace")
        log.error(  # noqa: TRY400, its text says it all
            "client.unreadable",
            client_id=client_id,
            reason=str(error),
            consequence="this client is refused",
            remedy=_remedy(client_id),
        )
        return Client(client_id=client_id, name=UNREADABLE_NAME, enabled=False)


def _remedy(client_id: str) -> str:
    """Return what the operator can do."""
    return f"run the version that wrote it, or forget it: deviceflow clients remove {client_id}"
