"""Clients in the store, beside those in the configuration file.

A client of the store stands before one of the same id in the file. Changes reach all workers
within a second.
"""

import msgspec
import structlog

from deviceflow.core.client import Client
from deviceflow.store.changes import announce_change
from deviceflow.store.connection import Connection
from deviceflow.store.errors import RecordUnreadable
from deviceflow.store.records import read_record

CLIENTS_KEY = "df:clients"
REGISTRATIONS_KEY = "df:registrations"

log = structlog.get_logger()


class StoredClients:
    """The door to clients. Every method raises StoreUnavailable."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[tuple[bytes, bytes], Client] = {}

    async def all(self) -> list[Client]:
        """Every stored client, by id. One that this version cannot read is there, but disabled.

        Were it left out, the file's client of that id would be in force again, which may be
        enabled although the stored one is not.
        """
        stored = await self._connection.command("HGETALL", CLIENTS_KEY)
        # What has not changed is neither read nor complained of again.
        self._known = {
            (name, record): self._known.get((name, record)) or _readable(name, record)
            for name, record in stored.items()
        }
        return sorted(self._known.values(), key=lambda client: client.client_id)

    async def find(self, client_id: str) -> Client | None:
        """The stored client of that id, or None. Raises RecordUnreadable."""
        record = await self._connection.command("HGET", CLIENTS_KEY, client_id)
        if record is None:
            return None
        try:
            return read_record(record, Client)
        except RecordUnreadable as error:
            raise RecordUnreadable(
                f"the record of the client {client_id} cannot be read: {error}. "
                f"To go on, {_remedy(client_id)}"
            ) from error

    async def put(self, client: Client) -> None:
        """Store a client, or change one."""
        record = msgspec.json.encode(client)
        await self._connection.command("HSET", CLIENTS_KEY, client.client_id, record)
        await announce_change(self._connection)

    async def remove(self, client_id: str) -> bool:
        """Forget a client and its registration; False if there is none."""
        removed = await self._connection.command("HDEL", CLIENTS_KEY, client_id)
        await self._connection.command("HDEL", REGISTRATIONS_KEY, client_id)
        await announce_change(self._connection)
        return bool(removed)

    async def registration(self, client_id: str) -> str | None:
        """The hash of the registration access token (RFC 7592), or None."""
        found = await self._connection.command("HGET", REGISTRATIONS_KEY, client_id)
        return found.decode() if found else None

    async def put_registration(self, client_id: str, token_hash: str) -> None:
        """Keep the hash of a registration access token."""
        await self._connection.command("HSET", REGISTRATIONS_KEY, client_id, token_hash)


def _readable(name: bytes, record: bytes) -> Client:
    """The client of `record`; a disabled one in its place where it cannot be read."""
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
    """What the operator can do."""
    return f"run the version that wrote it, or forget it: deviceflow clients remove {client_id}"
