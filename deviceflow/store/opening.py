"""The connection and the secrets that the settings ask for.

Commands stand on this instead of `deviceflow/start.py`, which imports what only a server needs.
"""

from deviceflow.config import Settings
from deviceflow.store.connection import Connection, Durability
from deviceflow.store.envelope_source import open_envelope
from deviceflow.store.installation import Installation


def connect(settings: Settings, redis_url: str) -> Connection:
    """Open a connection to the store, with the configured durability."""
    redis = settings.redis
    replicas = redis.replicas if redis.durability == "replicated" else 0
    durability = Durability(replicas, redis.replica_timeout_ms)
    return Connection.open(redis_url, durability, redis.max_connections)


async def open_installation(settings: Settings, connection: Connection) -> Installation:
    """Read the secrets for a command, or make them. May raise StoreUnavailable."""
    return await Installation.open(connection, open_envelope(settings.keys))
