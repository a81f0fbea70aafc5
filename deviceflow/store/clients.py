"""Clients in the store, beside those in the configuration file.

A client of the store stands before one of the same id in the file. Changes reach all workers
within a second.
"""

from collections.abc import Callable
from hmac import compare_digest
from typing import TypeVar

import msgspec
import structlog

from deviceflow.core.client import Client
from deviceflow.store import keyspace, scripts
from deviceflow.store.announcements import announce_client
from deviceflow.store.connection import Connection
from deviceflow.store.errors import RecordContended, RecordUnreadable
from deviceflow.store.records import read_record

TRIES = 50
"""How often a change is tried while others are faster: more than ever happens by chance."""

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
        # A record that has not changed is neither read nor logged again.
        self._known = {
            (name, record): self._known.get((name, record)) or _readable(name, record)
            for name, record in stored.items()
        }
        return sorted(self._known.values(), key=lambda client: client.client_id)

    async def one(self, client_id: str) -> Client | None:
        """Return one stored client as `all` does, or None."""
        record = await self._connection.command("HGET", keyspace.CLIENTS, client_id)
        return None if record is None else _readable(client_id.encode(), record)

    async def find(self, client_id: str, token_hash: str = "") -> Client | None:
        """Return the stored client of that id, or None. May raise RecordUnreadable.

        With `token_hash`, only the client that this registration access token manages.
        """
        record = await self._read(client_id, token_hash)
        return None if record is None else _client(client_id, record)

    async def put(self, client: Client) -> None:
        """Store a client over whatever is there: for a new id that no other caller knows yet."""
        record = msgspec.json.encode(client)
        await self._connection.command("HSET", keyspace.CLIENTS, client.client_id, record)
        await announce_client(self._connection, client.client_id)

    async def change(
        self, client_id: str, edit: Callable[[Client | None], Changed], token_hash: str = ""
    ) -> Changed:
        """Store what `edit` makes of the client and return it; None removes the client.

        `edit` receives what `find` returns, and may raise: then nothing changes. If another
        caller was faster, `edit` is called again, with the client as it is by then. So no other
        change is lost, and no change brings back a client that was removed after it began. May
        raise RecordUnreadable and RecordContended.
        """
        for _ in range(TRIES):
            record = await self._read(client_id, token_hash)
            after = edit(None if record is None else _client(client_id, record))
            is_changed = await scripts.change_client(
                self._connection,
                keyspace.CLIENTS,
                client_id,
                before=record or b"",
                after=b"" if after is None else msgspec.json.encode(after),
            )
            if is_changed:
                if after is None:
                    await self._connection.command("HDEL", keyspace.REGISTRATIONS, client_id)
                await announce_client(self._connection, client_id)
                return after
        raise RecordContended(
            f"the client {client_id} was changed by others again and again, and is as they left"
            " it; try once more, or forget it: deviceflow clients remove " + client_id
        )

    async def remove(self, client_id: str) -> bool:
        """Forget a client and its registration; return False if there is no such client."""
        # In this order: a client that comes back under this id must not be managed with the old
        # registration.
        await self._connection.command("HDEL", keyspace.REGISTRATIONS, client_id)
        removed = await self._connection.command("HDEL", keyspace.CLIENTS, client_id)
        await announce_client(self._connection, client_id)
        return bool(removed)

    async def put_registration(self, client_id: str, token_hash: str) -> None:
        """Store the hash of a registration access token (RFC 7592)."""
        await self._connection.command("HSET", keyspace.REGISTRATIONS, client_id, token_hash)

    async def _read(self, client_id: str, token_hash: str) -> bytes | None:
        record: bytes | None = await self._connection.command("HGET", keyspace.CLIENTS, client_id)
        if token_hash:
            known = await self._connection.command("HGET", keyspace.REGISTRATIONS, client_id)
            if not compare_digest(known or b"", token_hash.encode()):
                return None
        return record


def _client(client_id: str, record: bytes) -> Client:
    try:
        return read_record(record, Client)
    except RecordUnreadable as error:
        raise RecordUnreadable(
            f"the record of the client {client_id} cannot be read: {error}. "
            f"To go on, {_remedy(client_id)}"
        ) from error


def _readable(name: bytes, record: bytes) -> Client:
    """Return the client of `record`, or a disabled one in its place if it cannot be read."""
    try:
        return read_record(record, Client)
    except RecordUnreadable as error:
        client_id = name.decode(errors="replace")
        log.error(  # noqa: TRY400, its text says it all
            "client.unreadable",
            client_id=client_id,
            reason=str(error),
            consequence="this client is refused",
            remedy=_remedy(client_id),
        )
        return Client(client_id=client_id, name="cannot be read", enabled=False)


def _remedy(client_id: str) -> str:
    """Return what the operator can do."""
    return f"run the version that wrote it, or forget it: deviceflow clients remove {client_id}"
