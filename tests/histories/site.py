"""What a run happens to: two hosts with two workers each, on one store, behind a path for clients.

The store is a single server, which stores what it acknowledges (`appendonly`), Sentinels or a
Cluster. Each host reaches a single server over a path of its own.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from tempfile import TemporaryDirectory
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout

from tests.histories.devices import INTERVAL_S, LIFETIMES_S, SCOPE
from tests.histories.people import READERS
from tests.stage.admin import TOKEN
from tests.stage.hosts import Host
from tests.stage.path import Path
from tests.stage.ports import free_port
from tests.stage.program import COMMAND, environment
from tests.stage.shapes import Cluster, Sentinels
from tests.stage.valkey import Valkey

WORKERS = 2
HOSTS = 2
LOOPBACK = "127.0.0.1"
NO_PASSWORD = "$argon2id$v=19$m=65536,t=3,p=1$c29tZXNhbHRzb21lc2FsdA$" + "A" * 43
READY_S = 2.0
RECOVERY_S = 180.0
LOOK_S = 0.2
RIGHT_TIME = "+0s"

SINGLE, SENTINEL, CLUSTER = "single", "sentinel", "cluster"
STORES = (SINGLE, SENTINEL, CLUSTER)

DURABLE = {"appendonly": "yes", "appendfsync": "always"}
"""With `everysec`, a store on a busy disk acknowledges what it has not written."""

REPLICAS = {SENTINEL: 2, CLUSTER: 1}
"""How many replicas must have a decision (docs/decisions/0032)."""


def make_store(kind: str) -> Any:  # noqa: ANN401, a Valkey or several
    """Make a store of a kind. It does not run yet."""
    if kind == SINGLE:
        return Valkey(DURABLE, tcp=True)
    return Sentinels(DURABLE, replicas=2) if kind == SENTINEL else Cluster(DURABLE, replicas=3)


@dataclass
class Site:
    """The running servers.

    `front`: the path for clients, to the hosts in turn. `doors`: to each of them. `store_paths`: of
    each host, or empty. `clocks`: files that turn the clock of each host; empty where libfaketime
    is not installed. `variables`: what hosts and commands have in their environment.
    """

    kind: str
    store: Any
    folder: FilePath
    front: Path = field(default_factory=Path)
    doors: list[Path] = field(default_factory=list)
    hosts: list[Host] = field(default_factory=list)
    store_paths: list[Path] = field(default_factory=list)
    clocks: list[FilePath] = field(default_factory=list)
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def store_url(self) -> str:
        """The address of the store, for others than the hosts."""
        if self.kind == SINGLE:
            return f"redis://{LOOPBACK}:{self.store.port}"
        return str(self.store.url)

    @property
    def desks(self) -> tuple[str, ...]:
        """The addresses of the operators' API."""
        return tuple(f"{host.admin_url}/api/v1" for host in self.hosts)

    @property
    def url(self) -> str:
        """The address for clients, which is the issuer."""
        return f"http://{LOOPBACK}:{self.front.port}"

    async def recovered(self) -> None:
        """Wait until every host has its workers, and says that it is ready."""
        async with asyncio.timeout(RECOVERY_S), ClientSession() as session:
            for host in self.hosts:
                while not await _is_whole(session, host):  # noqa: ASYNC110, other processes
                    await asyncio.sleep(LOOK_S)

    async def command(self, group: str, *words: str) -> int:
        """Run a command of operators; return its exit status."""
        config = ("--config", str(self.hosts[0].config), "--redis-url", self.store_url)
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            group,
            *config,
            *words,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment() | dict(self.variables),
        )
        try:
            return await process.wait()
        finally:
            if process.returncode is None:
                process.kill()


async def _is_whole(session: ClientSession, host: Host) -> bool:
    if len(host.workers) < WORKERS:
        return False
    with suppress(ClientError, OSError, asyncio.TimeoutError):
        timeout = ClientTimeout(total=READY_S)
        async with session.get(f"{host.admin_url}/readyz", timeout=timeout) as answer:
            return answer.status == 200
    return False


@asynccontextmanager
async def open_site(
    kind: str, logs: FilePath, variables: Mapping[str, str] | None = None
) -> AsyncIterator[Site]:
    """Run a site, as long as the block lasts. The hosts' logs are left in `logs`.

    `variables`: what is in the environment of hosts and commands.
    """
    async with AsyncExitStack() as stack:
        folder = FilePath(stack.enter_context(TemporaryDirectory(prefix="df-")))
        store = await asyncio.to_thread(stack.enter_context, make_store(kind))
        ports = [free_port() for _ in range(HOSTS)]
        site = Site(kind, store, folder, front=Path(*ports), variables=variables or {})
        await stack.enter_async_context(site.front.open())
        site.doors = [await stack.enter_async_context(Path(port).open()) for port in ports]
        for number, port in enumerate(ports):
            url = site.store_url
            if kind == SINGLE:
                path = await stack.enter_async_context(Path(store.port).open())
                site.store_paths.append(path)
                url = f"redis://{LOOPBACK}:{path.port}"
            host = _make_host(folder / f"host-{number}", site, port, url)
            host.variables = _turnable(host, site) | dict(site.variables)
            site.hosts.append(host)
            stack.push_async_callback(_end, host, logs / f"host-{number}.log")
            await asyncio.to_thread(host.start)
        await site.recovered()
        yield site


def faketime() -> str:
    """Return the library that turns the clock of a process, or an empty text without it.

    It is Debian's package libfaketime. LIBFAKETIME names one that is elsewhere.
    """
    installed = sorted(FilePath("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    return os.environ.get("LIBFAKETIME") or next(map(str, installed), "")


def _turnable(host: Host, site: Site) -> dict[str, str]:
    """Return the environment of a host whose clock can be turned."""
    library = faketime()
    if not library:
        return {}
    clock = host.config.with_name("clock")
    clock.write_text(RIGHT_TIME, encoding="utf-8")
    site.clocks.append(clock)
    return {
        "LD_PRELOAD": library,
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        # The pace is measured with a clock that nobody can turn.
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DISABLE_SHM": "1",
    }


async def _end(host: Host, log: FilePath) -> None:
    await asyncio.to_thread(host.end)
    lines = "\n".join([*map(str, host.log), *host.stray])
    await asyncio.to_thread(log.write_text, f"{lines}\n", encoding="utf-8")


def _make_host(folder: FilePath, site: Site, port: int, redis_url: str) -> Host:
    folder.mkdir()
    token_file = folder / "admin-tokens"
    token_file.write_text(f"{TOKEN}\n", encoding="utf-8")
    token_file.chmod(0o600)
    host = Host(folder, LOOPBACK, (port, free_port()), redis_url)
    host.configure(site.url, _tables(site.kind, token_file))
    # Where a Program starts for the first time.
    host.url = f"http://{LOOPBACK}:{port}"
    return host


def _tables(kind: str, token_file: FilePath) -> str:
    durability = ""
    if kind in REPLICAS:
        durability = f'[redis]\ndurability = "replicated"\nreplicas = {REPLICAS[kind]}\n'
    scopes = ", ".join(f'"{scope}"' for scope in SCOPE.split())
    clients = "".join(
        f'[[clients]]\nclient_id = "{client}"\nname = "The {client}"\nscopes = [{scopes}]\n'
        f"lifetime_s = {lifetime_s}\ninterval_s = {INTERVAL_S:.0f}\n"
        for client, lifetime_s in LIFETIMES_S.items()
    )
    users = "".join(
        f'[[users]]\nusername = "{name}"\nsub = "{name}"\npassword_hash = "{NO_PASSWORD}"\n'
        for name in READERS
    )
    return (
        f"workers = {WORKERS}\n{durability}[device]\npace_slots = 4096\n"
        f'[admin]\ntoken_file = "{token_file}"\n{clients}{users}'
    )
