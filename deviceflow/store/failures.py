"""What the failures of redis-py mean: the store is out of reach, or refuses, or a command is wrong.

Only the first two are conditions that pass, so only they become StoreUnavailable.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import (
    AskError,
    ClusterError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from deviceflow.store.errors import StoreUnavailable

READONLY = "READONLY"
"""The refusal of a replica: it takes no writes."""

_UNREACHABLE = (RedisConnectionError, RedisTimeoutError, ClusterError, RedisClusterException)

# What a reachable server answers when it cannot run a command just now. For some of these
# answers redis-py has classes, whose text lacks the code.
_REFUSALS = (
    AskError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    TryAgainError,
)
# Redis 6.2 puts words before the answer to a command of a script.
_REFUSED = re.compile(
    r"(?:Error running script .*@user_script: ?\d+: -?)?"
    r"(MISCONF|NOREPLICAS|BUSY|OOM|READONLY|NOPERM)\b"
)

# What redis-py makes of READONLY when it has asked Sentinels for the primary.
_DEMOTED = "previous master"
# What a replica answers to WAIT. If a script has nothing to write, this is its only refusal.
_NO_WAIT = "WAIT cannot be used with replica"

_REFUSAL_CODES = {
    NoPermissionError: "NOPERM",
    OutOfMemoryError: "OOM",
    ReadOnlyError: READONLY,
}


def refusal_of(error: object) -> str | None:
    """Return the code with which the store refused a write, or None for any other failure."""
    if isinstance(error, RedisConnectionError) and _DEMOTED in str(error):
        return READONLY
    if isinstance(error, ResponseError):
        if (code := _REFUSAL_CODES.get(type(error))) is not None:
            return code
        if str(error).startswith(_NO_WAIT):
            return READONLY
        if refused := _REFUSED.match(str(error)):
            return refused[1]
    return None


def unavailable(error: BaseException) -> StoreUnavailable | None:
    """Return what a failure means if it is one of the store; None for any other."""
    if isinstance(error, (*_UNREACHABLE, *_REFUSALS, OSError)):
        return StoreUnavailable(refusal_of(error) or type(error).__name__)
    if isinstance(error, ResponseError):
        refusal = refusal_of(error)
        return None if refusal is None else StoreUnavailable(refusal)
    return StoreUnavailable(type(error).__name__) if isinstance(error, RedisError) else None


@contextmanager
def translated() -> Iterator[None]:
    """Turn what redis-py raises when the store is out of reach into StoreUnavailable."""
    try:
        yield
    except Exception as error:
        if (failure := unavailable(error)) is not None:
            raise failure from error
        raise
