"""The script of the export, which reads whole keys."""

from typing import Any, NamedTuple

from deviceflow.store.connection import Connection
from deviceflow.store.scripts.lua import source


class KeyRead(NamedTuple):
    """A key as it is. `kind`: as TYPE tells it. `lives_ms`: negative for a key without a TTL."""

    kind: str
    lives_ms: int
    value: Any


async def read_key(connection: Connection, key: str) -> KeyRead:
    """Return a string, a hash or a sorted set whole; of kind `none` if it has ended.

    It changes nothing, so a repetition does no harm.
    """
    kind, lives_ms, value = await connection.evaluate(source("read_key"), [key])
    return KeyRead(kind.decode(), lives_ms, value)
