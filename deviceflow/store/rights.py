"""The rights that the server's user in Redis needs, and the check of them at start.

The store refuses a command before it looks at the key. So each command is tried on a string that
it cannot change, and only "not allowed" counts as an answer.
"""

import secrets

from redis.exceptions import NoPermissionError

from deviceflow.store import keyspace
from deviceflow.store.connection import Connection
from deviceflow.store.failures import translated

# Each in a form that changes nothing: hashes, sorted sets and streams are not written to a string.
_ON_A_STRING: dict[str, tuple[str | int, ...]] = {
    "GET": (),
    "EXISTS": (),
    "EXPIRE": (60,),
    "PEXPIRE": (60_000,),
    "HGET": ("f",),
    "HSET": ("f", "v"),
    "HDEL": ("f",),
    "HMGET": ("f",),
    "HGETALL": (),
    "HEXISTS": ("f",),
    "HVALS": (),
    "HKEYS": (),
    "HINCRBY": ("f", 1),
    "HRANDFIELD": (),
    "ZADD": (1, "m"),
    "ZCARD": (),
    "ZSCORE": ("m",),
    "ZRANGE": (0, 0),
    "ZREM": ("m",),
    "ZREMRANGEBYSCORE": (0, 0),
    "XADD": ("*", "f", "v"),
    "XRANGE": ("-", "+"),
    "XREVRANGE": ("+", "-"),
    "INCR": (),
    "INCRBY": (0,),
    "PEXPIREAT": ("1",),
}
_ON_NO_KEY: tuple[tuple[str | int, ...], ...] = (("TIME",), ("WAIT", 0, 1))
_UNTRIED = (
    "CLIENT SETINFO",
    "CLIENT SETNAME",
    "CLUSTER SLOTS",
    "COMMAND",
    "CONFIG GET",
    "HELLO",
    "HSCAN",
    "INFO",
    "PING",
    "PTTL",
    "PUBLISH",
    "PUBSUB NUMSUB",
    "PUBSUB SHARDNUMSUB",
    "SCAN",
    "SPUBLISH",
    "SSUBSCRIBE",
    "SUBSCRIBE",
    "TYPE",
)
"""What a connection needs before anything else, what a Cluster needs, what only warns, and what
`deviceflow export` and `import` need.
"""

COMMANDS = frozenset(
    {"DEL", "EVAL", "EVALSHA", "SET", *_ON_A_STRING, *_UNTRIED}
    | {str(command[0]) for command in _ON_NO_KEY}
)
"""Every command that the server sends, or a script of it runs."""


async def missing_rights(connection: Connection) -> list[str]:
    """Return what this user may not do: names of commands, or of keys. May raise StoreUnavailable.

    Commands on a connection without any of them (HELLO, PING) have succeeded by now. Push
    messages are not needed, so their refusal is only logged where it happens.
    """
    key = keyspace.rights(secrets.token_hex(8))
    commands: list[tuple[str | int, ...]] = [
        ("SET", key, "0", "PX", 60_000),
        ("EVAL", "return 1", 1, key),
        ("EVALSHA", "0" * 40, 1, key),
        *((name, key, *operands) for name, operands in _ON_A_STRING.items()),
        *_ON_NO_KEY,
        ("DEL", key),
    ]
    answers = await connection.attempt(*commands)
    if isinstance(answers[0], Exception) and not isinstance(answers[0], NoPermissionError):
        # It takes no writes at all, for another reason.
        with translated():
            raise answers[0]
    refused = [
        (str(command[0]), str(answer))
        for command, answer in zip(commands, answers, strict=True)
        if isinstance(answer, NoPermissionError)
    ]
    if any("key" in reason for _, reason in refused):
        return [f"the keys {keyspace.PATTERN}"]
    return [name for name, _ in refused]
