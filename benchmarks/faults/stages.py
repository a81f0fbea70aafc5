"""What a fault happens to: a server with two workers, and its store.

The stores are those of the tests (`tests/stage/`): real Valkeys on this machine.
"""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

from benchmarks.faults.people import COUNT, name_of
from benchmarks.polls import CLIENT_ID, LIFETIME_S, SCOPE
from benchmarks.processes import BenchmarkError, family, free_port, running, wait_for_port
from benchmarks.servers import PASSWORD_HASH
from deviceflow.config import Server
from deviceflow.store.embedded import EmbeddedValkey
from deviceflow.supervisor.control import CONTROL_NAME
from deviceflow.supervisor.pace_process import PROCESS_NAME
from tests.stage.program import COMMAND, children, command_of
from tests.stage.program import name_of as process_name
from tests.stage.shapes import FAST_SYNC, Cluster, ManyServers, Sentinels
from tests.stage.valkey import Valkey
from tests.stage.waiting import until_outside

WORKERS = 2
WAIT_S = 0.05
DATA_DIR = Server().data_dir

CONFIG = Template("""\
[server]
port = $port
admin_port = $admin_port
workers = $workers
$redis
[log]
level = "warning"
$more
[[clients]]
client_id = "$client_id"
name = "Living-room TV"
scopes = [$scopes]
lifetime_s = $lifetime_s
interval_s = $interval_s
""")

REPLICATED_REDIS = Template("""\
[redis]
url = "$url"
durability = "replicated"
replicas = $replicas
""")

USER = Template("""\
[[users]]
username = "$name"
sub = "$name"
password_hash = "$password_hash"
""")

EMBEDDED, PAIR, CLUSTER = "embedded", "pair", "cluster"
SENTINEL, SENTINEL_ALL = "sentinel", "sentinel, all replicas"


class Pair(ManyServers):
    """A primary with one replica, and nothing that watches them."""

    def __init__(self) -> None:
        super().__init__()
        primary = Valkey(FAST_SYNC, tcp=True)
        replica = Valkey({**FAST_SYNC, "replicaof": f"127.0.0.1 {primary.port}"})
        self.servers = [primary, replica]

    @property
    def url(self) -> str:
        """The address of the primary."""
        return self.servers[0].url

    def start(self) -> None:
        """Start both, and wait until the replica has all data."""
        super().start()
        until_outside(self._is_well)

    def _is_well(self) -> bool:
        with self.servers[0].client() as client:
            state: Any = client.info("replication")
        return str(state.get("slave0", {}).get("state")) == "online"


# A store whose decisions are on two servers, also while one of its servers is away.
STORES: Mapping[str, Callable[[], ManyServers]] = {
    PAIR: Pair,
    SENTINEL: lambda: Sentinels(replicas=2),
    SENTINEL_ALL: lambda: Sentinels(replicas=2),
    CLUSTER: lambda: Cluster(replicas=6),
}
REPLICAS = {SENTINEL_ALL: 2}
"""How many replicas must have a decision, where it is not one."""


class Settings(NamedTuple):
    """What differs between stages. `more`: sections of the configuration file."""

    workers: int = WORKERS
    interval_s: int = 1
    more: str = ""


USUAL = Settings()


@dataclass
class Stage:
    """A server. `store`: None if it is the embedded one."""

    config: Path
    port: int
    admin_port: int
    store: Any
    _process: subprocess.Popen[bytes] | None = None
    _running: ExitStack = field(default_factory=ExitStack)

    def start(self) -> None:
        """Start the server, and wait until it listens. May raise BenchmarkError."""
        log = self.config.parent / "server.log"
        command = [*COMMAND, "serve", "--config", str(self.config)]
        self._process = self._running.enter_context(running(command, log))
        wait_for_port(self._process, self.port, log)

    def stop(self) -> None:
        """End the server in order, and with it the embedded store."""
        self._running.close()

    def kill(self) -> None:
        """Kill all processes of the server at the same time, and the embedded store."""
        for pid in family(self.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._running.close()

    @property
    def pid(self) -> int:
        """The process id of the supervisor. May raise BenchmarkError."""
        if self._process is None:
            raise BenchmarkError("the server was not started")
        return self._process.pid

    @property
    def data_dir(self) -> Path:
        """The folder of the server's files."""
        return self.config.parent / DATA_DIR

    @property
    def store_url(self) -> str:
        """The address of the store, for others than the server."""
        return EmbeddedValkey(self.data_dir).url if self.store is None else str(self.store.url)

    @property
    def worker(self) -> int:
        """The process id of one of the workers. May raise BenchmarkError."""
        for pid in children(self.pid):
            if "valkey" not in command_of(pid) and process_name(pid) != PROCESS_NAME:
                return pid
        raise BenchmarkError("the server has no worker")

    async def wait_until_controlled(self) -> None:
        """Wait until the server takes commands."""
        while not (self.data_dir / CONTROL_NAME).exists():  # noqa: ASYNC110, the server is starting
            await asyncio.sleep(WAIT_S)


@contextmanager
def open_stage(folder: Path, kind: str, settings: Settings = USUAL) -> Iterator[Stage]:
    """Run a store of this kind, and a server on it, as long as the block lasts."""
    folder.mkdir()
    with STORES[kind]() if kind in STORES else nullcontext() as store:
        stage = Stage(folder / "deviceflow.toml", free_port(), free_port(), store)
        redis = ""
        if store:
            replicas = REPLICAS.get(kind, 1)
            redis = REPLICATED_REDIS.substitute(url=store.url, replicas=replicas)
        stage.config.write_text(_text(stage, redis, settings), encoding="utf-8")
        try:
            stage.start()
            yield stage
        finally:
            stage.stop()


def _text(stage: Stage, redis: str, settings: Settings) -> str:
    text = CONFIG.substitute(
        port=stage.port,
        admin_port=stage.admin_port,
        workers=settings.workers,
        redis=redis,
        more=settings.more,
        interval_s=settings.interval_s,
        client_id=CLIENT_ID,
        scopes=", ".join(f'"{scope}"' for scope in SCOPE.split()),
        lifetime_s=LIFETIME_S,
    )
    people = (name_of(number) for number in range(COUNT))
    users = (USER.substitute(name=name, password_hash=PASSWORD_HASH) for name in people)
    return text + "".join(users)
