"""A look at the store at start, for what an operator should know before people rely on it."""

from typing import Any

from redis.exceptions import ResponseError

from deviceflow.core.clock import Clock
from deviceflow.store.connection import Connection

ALLOWED_SKEW_S = 1.0
OLDEST_VERSION = (7, 0)


async def survey(connection: Connection, clock: Clock) -> list[str]:
    """Return what is wrong with the store, a sentence each. May raise StoreUnavailable."""
    findings = []
    skew = await _skew(connection, clock)
    if abs(skew) > ALLOWED_SKEW_S:
        findings.append(f"the store's clock is {skew:+.1f} s off this host's; keep both on NTP")
    policy = await _policy(connection)
    if policy not in {None, "noeviction"}:
        findings.append(f"maxmemory-policy is {policy}; with noeviction no approval can be evicted")
    version = await _version(connection)
    if version is not None and version < OLDEST_VERSION:
        findings.append("the store is older than Redis 7.0; its commands may not suffice")
    return findings


async def _skew(connection: Connection, clock: Clock) -> float:
    before = clock()
    seconds, microseconds = await connection.command("TIME")
    halfway = (before + clock()) / 2
    return float(seconds) + float(microseconds) / 1e6 - halfway


async def _policy(connection: Connection) -> str | None:
    try:
        answer: dict[bytes, bytes] = await connection.command("CONFIG", "GET", "maxmemory-policy")
    except ResponseError:
        # Managed services forbid CONFIG.
        return None
    policy = answer.get(b"maxmemory-policy")
    return policy.decode() if policy else None


async def _version(connection: Connection) -> tuple[int, ...] | None:
    info: dict[str, Any] = await connection.command("INFO", "server")
    version = info.get("redis_version")
    return tuple(int(part) for part in str(version).split(".")[:2]) if version else None
