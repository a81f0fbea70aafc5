"""Changes that every worker has to know of: clients and signing keys.

A number in the store grows with every change. Workers read it once a second beside the
decision log, and are told at once on the channel of the decisions.
"""

from deviceflow.store.connection import Connection

REVISION_KEY = "df:revision"
CHANNEL = "df:decided"
CHANGED = "changed"


async def announce_change(connection: Connection) -> None:
    """Have every worker read clients and keys again. Raises StoreUnavailable."""
    await connection.command("INCR", REVISION_KEY)
    await connection.command("PUBLISH", CHANNEL, CHANGED)
