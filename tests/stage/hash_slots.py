"""The hash slots that a command, a script or a pipeline touches.

One server does not mind two slots in one call; a Redis Cluster refuses them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import mock

from redis.crc import key_slot

from deviceflow.store.connection import Connection, ScriptCall, command_of
from deviceflow.store.shapes import Command

SCRIPTS = frozenset({"EVAL", "EVALSHA"})
KEYLESS = frozenset({"PING", "PUBLISH", "PUBSUB", "SCRIPT", "SPUBLISH", "WAIT"}) | frozenset(
    {
        "ACL",
        "CLIENT",
        "CLUSTER",
        "CONFIG",
        "FLUSHALL",
        "INFO",
        "KEYS",
        "REPLICAOF",
        "ROLE",
        "SCAN",
        "SENTINEL",
        "TIME",
    }
)
HASHES = frozenset({"HDEL", "HEXISTS", "HGET", "HGETALL", "HINCRBY", "HKEYS", "HSCAN"}) | frozenset(
    {"HLEN", "HMGET", "HRANDFIELD", "HSET", "HSTRLEN", "HVALS"}
)
STREAMS = frozenset({"XADD", "XLEN", "XRANGE", "XREVRANGE"})
TTLS = frozenset({"EXPIRE", "PERSIST", "PEXPIRE", "PEXPIREAT", "PEXPIRETIME", "PTTL", "TTL"})
SORTED_SETS = frozenset({"ZADD", "ZCARD", "ZRANGE", "ZREM", "ZREMRANGEBYSCORE", "ZSCORE"})
ONE_KEY = (
    frozenset({"GET", "INCR", "INCRBY", "SET", "TYPE"}) | HASHES | SORTED_SETS | STREAMS | TTLS
)
MANY_KEYS = frozenset({"DEL", "EXISTS", "MGET", "UNLINK"})


def keys_of(command: Sequence[Any]) -> list[bytes]:
    """Return the keys in a command. Raise LookupError for a command that is not listed above."""
    name, rest = str(command[0]).upper().split()[0], command[1:]
    if name in KEYLESS:
        return []
    if name in ONE_KEY:
        return [_bytes(rest[0])] if rest else []
    if name in MANY_KEYS:
        return [_bytes(key) for key in rest]
    if name in SCRIPTS:
        return [_bytes(key) for key in rest[2 : 2 + int(rest[1])]]
    raise LookupError(f"tests/stage/hash_slots.py does not know which keys {name} takes")


def slots_of(*commands: Sequence[Any]) -> set[int]:
    """Return the slots of all keys in `commands`."""
    return {key_slot(key) for command in commands for key in keys_of(command)}


@contextmanager
def mixed_slots() -> Iterator[list[list[bytes]]]:
    """Collect the keys of every call that touches more than one slot.

    What several callers send at the same moment may be in any slots.
    """
    mixed: list[list[bytes]] = []
    share, alone, each = Connection._share, Connection.batch_durably, Connection.run_each

    def look(*commands: Sequence[Any]) -> None:
        if len(slots_of(*commands)) > 1:
            mixed.append([key for command in commands for key in keys_of(command)])

    async def watched_share(self: Connection, commands: Sequence[Command]) -> list[Any]:
        look(*commands)
        return await share(self, commands)

    async def watched_alone(self: Connection, *commands: Command) -> list[Any]:
        if self.durability.replicas:
            look(*commands)
        return await alone(self, *commands)

    async def watched_each(self: Connection, *calls: ScriptCall | Command) -> list[Any]:
        for call in calls:
            look(command_of(call, "EVALSHA"))
        return await each(self, *calls)

    with (
        mock.patch.object(Connection, "_share", watched_share),
        mock.patch.object(Connection, "batch_durably", watched_alone),
        mock.patch.object(Connection, "run_each", watched_each),
    ):
        yield mixed


def _bytes(key: str | bytes) -> bytes:
    return key.encode() if isinstance(key, str) else key
