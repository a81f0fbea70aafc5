"""Clients in the store, beside those in the configuration file.

A client of the store stands before one of the same id in the file. Changes reach all workers
within a second.
"""

import msgspec
import structlog

from deviceflow.core.client import Client
from deviceflow.store.changes import announce_change
from deviceflow.store.connection import Connection

CLIENTS_KEY = "df:clients"
REGISTRATIONS_KEY = "df:registrations"

log = structlog.get_logger()


class StoredClients:
    """The door to clients. Every method raises StoreUnavailable."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def all(self) -> list[Client]:
        """Every stored client, by id, but for those that this version cannot read."""
        records = await self._connection.command("HVALS", CLIENTS_KEY)
        clients = [client for record in records if (client := _readable(record)) is not None]
        return sorted(clients, key=lambda client: client.client_id)

    async def find(self, client_id: str) -> Client | None:
        """The stored client of that id, or None."""
        record = await self._connection.command("HGET", CLIENTS_KEY, client_id)
        return msgspec.json.decode(record, type=Client) if record else None

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


def _readable(record: bytes) -> Client | None:
    """None for a record of a later version, perhaps: one client must not stop a worker."""
    try:
        return msgspec.json.decode(record, type=Client)
    except msgspec.DecodeError as error:
        log.error("client.ignored", reason=str(error))  # noqa: TRY400, its text says it all
        return None
