"""Everything in the store, as records: read while servers run, written while no server runs.

Each key is read in one step, large ones in pages. A key that is added while the reading goes on
may be left out, as in any copy of a running system. A grant that is redeemed in between can be
redeemed once more where the copy is restored, until its few minutes are over.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any, NamedTuple

import msgspec

from deviceflow.core.clock import Clock
from deviceflow.store import keyspace, scripts
from deviceflow.store.connection import Connection
from deviceflow.store.shapes import Value

FIELDS_AT_ONCE = 1000
"""Fields or entries of a large key in one record."""

_AT_ONCE = 32
_LARGE_HASHES = {keyspace.USERS, keyspace.SUBJECTS, keyspace.CLIENTS, keyspace.REGISTRATIONS}
_LARGE_HASHES |= {keyspace.LINKS}
_LARGE_HASHES |= {keyspace.FACTORS, keyspace.PASSKEYS}
_LARGE_HASHES |= {keyspace.ACCOUNT_MARKS}


class SnapshotError(Exception):
    """A copy cannot be restored. The text is a line for the operator."""


class StoredKey(msgspec.Struct, frozen=True, array_like=True):
    """A key, or a part of a large one. `expires_at_ms`: 0 for never.

    `value`: the bytes of a string; otherwise a flat list: the fields and values of a hash, the
    members and scores of a sorted set, the ids of a stream and its fields and values.
    """

    key: str
    kind: str
    expires_at_ms: int
    value: Any


class Restored(NamedTuple):
    """How many records were written, and how many were left out because they had ended."""

    written: int
    ended: int


async def read_all(connection: Connection, clock: Clock) -> AsyncIterator[StoredKey]:
    """Yield every record. May raise StoreUnavailable."""
    keys: list[str] = []
    async for key in connection.keys(keyspace.PATTERN):
        if key in _LARGE_HASHES or key == keyspace.DECISIONS:
            async for record in _read_pages(connection, key, clock):
                yield record
            continue
        keys.append(key)
        if len(keys) == _AT_ONCE:
            for record in await _read_some(connection, keys, clock):
                yield record
            keys = []
    for record in await _read_some(connection, keys, clock):
        yield record


async def restore(
    connection: Connection, records: Iterable[StoredKey], clock: Clock, *, replace: bool
) -> Restored:
    """Write records into a store that no server uses.

    `replace`: remove what the store holds. May raise SnapshotError (there is data or a server, or
    a record of an unknown kind) and StoreUnavailable.
    """
    await _refuse_a_server(connection)
    before = [key async for key in connection.keys(keyspace.PATTERN)]
    if before and not replace:
        raise SnapshotError(
            f"the store has data already ({len(before)} keys); --replace removes it first"
        )
    for key in before:
        await connection.command("DEL", key)
    written = ended = 0
    for record in records:
        if 0 < record.expires_at_ms <= clock() * 1000:
            ended += 1
        else:
            await _write(connection, record)
            written += 1
    return Restored(written, ended)


async def _refuse_a_server(connection: Connection) -> None:
    if await connection.subscribers(keyspace.CHANNEL):
        raise SnapshotError("a server is running on this store; stop it first")


async def _read_some(connection: Connection, keys: list[str], clock: Clock) -> list[StoredKey]:
    found = await asyncio.gather(*(scripts.read_key(connection, key) for key in keys))
    return [
        StoredKey(key, read.kind, _expiry(read.lives_ms, clock), read.value)
        for key, read in zip(keys, found, strict=True)
        if read.kind != "none"
    ]


async def _read_pages(connection: Connection, key: str, clock: Clock) -> AsyncIterator[StoredKey]:
    expires_at_ms = _expiry(await connection.command("PTTL", key), clock)
    if key == keyspace.DECISIONS:
        after = "-"
        while entries := await connection.command(
            "XRANGE", key, after, "+", "COUNT", FIELDS_AT_ONCE
        ):
            flat = [
                part
                for entry_id, fields in entries
                for part in (entry_id, [part for pair in fields.items() for part in pair])
            ]
            yield StoredKey(key, "stream", expires_at_ms, flat)
            after = f"({entries[-1][0].decode()}"
        return
    cursor = b"0"
    while True:
        cursor, fields = await connection.command("HSCAN", key, cursor, "COUNT", FIELDS_AT_ONCE)
        flat = [part for pair in fields.items() for part in pair]
        if flat:
            yield StoredKey(key, "hash", expires_at_ms, flat)
        if int(cursor) == 0:
            return


def _expiry(lives_ms: int, clock: Clock) -> int:
    return int(clock() * 1000) + lives_ms if lives_ms >= 0 else 0


async def _write(connection: Connection, record: StoredKey) -> None:
    key, value = record.key, record.value
    commands: list[tuple[Value, ...]]
    match record.kind:
        case "string":
            commands = [("SET", key, value)]
        case "hash":
            commands = [("HSET", key, *value)]
        case "zset":
            pairs = zip(value[1::2], value[::2], strict=True)
            commands = [("ZADD", key, *(part for pair in pairs for part in pair))]
        case "stream":
            entries = zip(value[::2], value[1::2], strict=True)
            commands = [("XADD", key, entry_id, *fields) for entry_id, fields in entries]
        case other:
            raise SnapshotError(f"{key}: a record of an unknown kind, {other}")
    if record.expires_at_ms:
        commands.append(("PEXPIREAT", key, record.expires_at_ms))
    await connection.batch(*commands)
