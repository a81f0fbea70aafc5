"""A look at the store: the facts that an operator should know before people rely on it."""

from typing import Any, NamedTuple

from redis.exceptions import RedisError, ResponseError

from deviceflow.core.clock import Clock
from deviceflow.store.causes import cause_of, is_away
from deviceflow.store.connection import Connection
from deviceflow.store.errors import StoreSetupError, StoreUnavailable
from deviceflow.store.rights import missing_rights

ALLOWED_SKEW_S = 1.0
OLDEST_VERSION = (6, 2)


class ServerReport(NamedTuple):
    """What one primary says of itself; a field that it does not tell is None."""

    address: str
    software: str
    version: tuple[int, ...]
    mode: str
    role: str
    replicas: int
    is_persistent: bool | None
    has_log: bool
    appendfsync: str | None
    eviction: str | None
    maxmemory: int | None

    @property
    def version_text(self) -> str:
        """The version as people write it."""
        return ".".join(map(str, self.version))

    def lines(self) -> list[str]:
        """Describe the server for people, a line each."""
        is_kept = {None: "not told", True: "yes", False: "no"}[self.is_persistent]
        synced = f", appendfsync {self.appendfsync}" if self.appendfsync else ""
        limit = {None: "not told", 0: "no limit"}.get(self.maxmemory, f"{self.maxmemory} bytes")
        return [
            f"version: {self.software} {self.version_text}, {self.mode}",
            f"role: {self.role}, {self.replicas} replicas",
            f"keeps its data on disk: {is_kept}{synced}",
            f"maxmemory: {limit}, policy {self.eviction or 'not told'}",
        ]


class StoreReport(NamedTuple):
    """What all primaries say, and how far their clock is from this host's, in s."""

    servers: tuple[ServerReport, ...]
    skew_s: float

    def findings(self, *, is_embedded: bool = False, confirming: int = 0) -> list[str]:
        """List what is wrong with the store, a sentence each.

        An embedded store has a whole host for itself, so it needs no limit of its memory.
        `confirming`: how many replicas confirm a decision before it is acknowledged.
        """
        findings = []
        if abs(self.skew_s) > ALLOWED_SKEW_S:
            findings.append(
                f"the store's clock is {self.skew_s:+.1f} s off this host's; keep both on NTP"
            )
        for server in self.servers:
            where = f"at {server.address}: " if server.address else ""
            findings += [where + fault for fault in _faults(server, is_embedded=is_embedded)]
            if not confirming and (risk := _written_late(server)):
                findings.append(where + risk)
            if 0 < confirming < server.replicas:
                findings.append(f"{where}{_too_few(server.replicas, confirming)}")
        return findings


async def survey(connection: Connection, clock: Clock) -> StoreReport:
    """Ask the store about itself, and whether it can be used at all.

    May raise StoreSetupError, with the true cause, and StoreUnavailable if the store is away.
    """
    try:
        infos = await connection.everywhere("INFO")
        saves = await _setting(connection, "save")
        syncs = await _setting(connection, "appendfsync")
        servers = tuple(
            _report(address, info, saves.get(address), syncs.get(address))
            for address, info in infos.items()
        )
        for server in servers:
            if server.mode == "cluster" and not server.address:
                raise StoreSetupError("it is a node of a Cluster; use redis+cluster://")
            if server.version and server.version < OLDEST_VERSION:
                raise StoreSetupError(
                    f"it is {server.software} {server.version_text}; 6.2 is the oldest that works"
                )
        if missing := await missing_rights(connection):
            raise StoreSetupError(
                f"its user may not use {', '.join(missing)}; docs/operations/store.md has the ACL"
            )
        return StoreReport(servers, await _skew(connection, clock))
    except (StoreUnavailable, RedisError) as error:
        if isinstance(error, StoreUnavailable) and is_away(error):
            raise
        raise StoreSetupError(cause_of(error)) from error


async def _setting(connection: Connection, name: str) -> dict[str, str]:
    """Return a setting of each server, as far as it tells."""
    try:
        answers = await connection.everywhere("CONFIG", "GET", name)
    except (ResponseError, StoreUnavailable):
        # Managed services forbid CONFIG.
        return {}
    return {address: _value(answer, name) for address, answer in answers.items()}


def _value(answer: dict[bytes, bytes] | list[bytes], name: str) -> str:
    if isinstance(answer, dict):
        return answer.get(name.encode(), b"").decode()
    return b"".join(answer[1:2]).decode()


async def _skew(connection: Connection, clock: Clock) -> float:
    before = clock()
    seconds, microseconds = await connection.command("TIME")
    halfway = (before + clock()) / 2
    return float(seconds) + float(microseconds) / 1e6 - halfway


def _report(
    address: str, info: dict[str, Any], saves: str | None, syncs: str | None
) -> ServerReport:
    valkey = info.get("valkey_version")
    maxmemory = info.get("maxmemory")
    is_saved = None if saves is None else bool(saves)
    has_log = bool(info.get("aof_enabled"))
    return ServerReport(
        address=address,
        software="Valkey" if valkey else "Redis",
        version=_version(valkey or info.get("redis_version")),
        mode=str(info.get("redis_mode") or info.get("server_mode") or "standalone"),
        role="primary" if info.get("role") == "master" else "replica",
        replicas=int(info.get("connected_slaves", 0)),
        is_persistent=True if has_log else is_saved,
        has_log=has_log,
        appendfsync=syncs if has_log else None,
        eviction=info.get("maxmemory_policy"),
        maxmemory=None if maxmemory is None else int(maxmemory),
    )


def _version(text: object) -> tuple[int, ...]:
    return tuple(int(part) for part in str(text or "").split(".")[:3] if part.isdigit())


def _too_few(replicas: int, confirming: int) -> str:
    """Say what a replica that need not confirm may lack (docs/decisions/0032)."""
    return (
        f"{confirming} of its {replicas} replicas must confirm a decision; a switch while this "
        f"primary is up can lose decisions. redis.replicas = {replicas} loses none"
    )


def _written_late(server: ServerReport) -> str | None:
    """Say what a store can lose although it has acknowledged it (docs/decisions/0060)."""
    remedy = "can be lost. With appendonly yes and appendfsync always, none is lost"
    if server.appendfsync in {"everysec", "no"}:
        late = f"appendfsync is {server.appendfsync}; if the store or its machine fails"
        return f"{late}, acknowledged decisions {remedy}"
    if server.is_persistent and not server.has_log:
        return f"it keeps snapshots only; if it fails, the decisions since the last one {remedy}"
    return None


def _faults(server: ServerReport, *, is_embedded: bool) -> list[str]:
    faults = []
    if server.role == "replica":
        faults.append("it is a replica, which takes no writes; name the primary")
    if server.eviction not in {None, "noeviction"}:
        faults.append(
            f"maxmemory-policy is {server.eviction}; with noeviction no approval can be evicted"
        )
    if server.is_persistent is False:
        faults.append(
            "it keeps nothing on disk; with appendonly yes and appendfsync always, a restart loses "
            "no key, no decision and no sign-in"
        )
    if server.maxmemory == 0 and not is_embedded:
        faults.append(
            "maxmemory is not set; with a limit, a full store refuses new grants and is not killed"
        )
    return faults
