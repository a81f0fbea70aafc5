"""One field of a hash, changed by one of several writers: clients, users, factors, links, keys."""

from deviceflow.store.connection import Connection
from deviceflow.store.scripts.lua import source


async def change_field(
    connection: Connection, key: str, field: str, *, before: bytes, after: bytes
) -> bool:
    """Replace the value of a field; return False if it is not `before` any more.

    An empty value stands for none. A repetition finds `after` stored and returns True.
    """
    answer = await connection.evaluate(source("change_field"), [key], field, before, after)
    return bool(answer == b"changed")
