"""What the tests of every folder share: a real store, its secrets, and a clock that a test sets.

`valkey`        one real store for each process of the run, nothing on disk: a server on a Unix
                socket, in which deviceflow may do what config/redis.acl says; or what
                DEVICEFLOW_STORE says (tests/stage/shapes.py)
`connection`    a Connection to it, after a FLUSHALL; it is closed at the end
`start_store`   starts another one, which a test may configure, stop and kill
`start_valkey`  starts another one that is a single server, whatever DEVICEFLOW_STORE says
`installation`  the secrets of an installation in that store
`clock`         a clock that stands still until a test moves it
`receiver`      a program of an operator's on loopback, which keeps what is posted to it

A test that uses `valkey`, itself or through another fixture, is followed by a look at all keys:
each must have a TTL, unless `deviceflow/store/keyspace.py` calls it permanent.
"""

import asyncio
import atexit
import gc
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import structlog
import uvloop
from aiohttp import web_app
from hypothesis import HealthCheck, settings

from deviceflow.store import archive, passwords
from deviceflow.store.connection import Connection
from deviceflow.store.installation import Installation
from tests.stage import warm
from tests.stage.clock import Clock
from tests.stage.examples import FEW
from tests.stage.receiver import Receiver
from tests.stage.shapes import store_of_this_run
from tests.stage.users import CHEAP
from tests.stage.valkey import Valkey, empty, endless_keys, open_connection

# Some images of CI forbid bytecode. Without it, each of the hundreds of servers that the tests
# start compiles the whole package anew, which takes longer than everything else in its start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Each test makes a worker with all its parts, and almost none of that is garbage in cycles. To look
# for it after every 700 new objects, as usual, costs a seventh of the time.
gc.set_threshold(50_000, 20, 10)

# Of an exception that is logged, a test shows the plain traceback. The one with colours and all
# local values takes long to draw.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback
        ),
    ]
)

# How fast the machine is says nothing about an example.
settings.register_profile(
    "quick",
    deadline=None,
    max_examples=60,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
# To find what breaks a rule is for the other profiles. A few examples show that the rule is kept:
# for a store of another shape, and for a first result (`.ci/run --without fuzz`).
settings.register_profile("few", parent=settings.get_profile("quick"), max_examples=FEW)
settings.register_profile("ci", parent=settings.get_profile("quick"), max_examples=200)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in os.environ else "quick"))


def pytest_configure(config: pytest.Config) -> None:
    """Fail a run that leaves something open. Runs with TLS or Sentinels are exempt.

    Broken connections with TLS outlive their loop. redis-py leaves old connections to a primary
    open.
    """
    if os.environ.get("DEVICEFLOW_STORE") in {"tls", "sentinel"}:
        config.addinivalue_line("filterwarnings", "ignore::pytest.PytestUnraisableExceptionWarning")
        config.addinivalue_line("filterwarnings", "ignore:unclosed resource <:ResourceWarning")
    else:
        config.pluginmanager.import_plugin("tests.stage.left_open")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Run named files in this process, and all else in four processes more than there are cores.

    Many tests wait for a server, so a core has time for others. With four processes on two cores,
    the cores had nothing to do for an eighth of the time.
    """
    if all(".py" in argument for argument in config.args):
        return 0
    return (os.cpu_count() or 1) + 4


SLOW = (
    *("interop", "process", "install", "browser", "histories", "test_benchmarks.py"),
    *("test_durability.py", "test_shapes.py", "test_failover.py", "test_left_open.py"),
)
"""Folders and files that take long, most of it with waiting; the longest first."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let slow files run beside quick ones (`--no-loadscope-reorder` keeps this order).

    Slow files wait, and quick ones need a core meanwhile. No slow file is left for the end.

    With a store of another shape, only the tests that use such a store run: the others have
    nothing to do with its shape.
    """
    if "DEVICEFLOW_STORE" in os.environ:
        found = len(items)
        items[:] = [item for item in items if uses_store_of_this_run(item)]
        config.stash[LEFT_OUT] = found - len(items)
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    slow = sorted((file for file in files if rank(file) < len(SLOW)), key=rank)
    quick = [file for file in files if rank(file) == len(SLOW)]
    items[:] = [item for file in spread(slow, quick) for item in files[file]]


def rank(file: Path) -> int:
    """The place of a slow file among its like; that of a quick one comes after them all."""
    parts = file.relative_to(Path(__file__).parent).parts
    return next((place for place, name in enumerate(SLOW) if name in parts), len(SLOW))


def spread(slow: list[Path], quick: list[Path]) -> Iterator[Path]:
    """Spread the slow files over the first three quarters of the quick ones."""
    between = len(quick) * 3 // (len(slow) * 4) if slow else 0
    for place, file in enumerate(slow):
        yield file
        yield from quick[place * between : (place + 1) * between]
    yield from quick[len(slow) * between :]


def pytest_collection_finish() -> None:
    """Keep the garbage collector from looking at the tests themselves: they stay to the end."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable(
    config: pytest.Config, report: pytest.CollectReport | pytest.TestReport
) -> Generator[None, dict[str, Any] | None, dict[str, Any] | None]:
    """Shorten reports of tests that passed: no keywords, and no output that nobody reads.

    The reports of a process of the run travel to the one that prints them, three for each test.
    """
    sent = yield
    if sent and isinstance(report, pytest.TestReport) and report.passed:
        sent["keywords"] = {}
        shown = not {"A", "P"}.isdisjoint(config.getoption("reportchars"))
        if not shown and not config.getoption("xmlpath"):
            sent["sections"] = []
    return sent


def pytest_sessionstart(session: pytest.Session) -> None:
    """Let a worker of the run end without taking apart all that it made: that takes half a second.

    `atexit` calls what was registered later first. Nobody reads the status of a worker.
    """
    if hasattr(session.config, "workerinput"):
        atexit.register(os._exit, 0)


LEFT_OUT = pytest.StashKey[int]()
"""How many tests were left out, because the shape of the store is nothing to them."""


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let a process of the run say how many tests were left out: each finds the same ones."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = session.config.stash.get(LEFT_OUT, 0)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:  # noqa: ANN401, of pytest-xdist, which has no types
    """Hear it."""
    node.config.stash[LEFT_OUT] = getattr(node, "workeroutput", {}).get("left_out", 0)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print how many tests were left out, and why."""
    if left_out := config.stash.get(LEFT_OUT, 0):
        terminalreporter.write_line(
            f"{left_out} tests were left out: they use no store of the shape of this run"
        )


def uses_store_of_this_run(item: pytest.Item) -> bool:
    """Whether a test has a store of the shape that DEVICEFLOW_STORE names, by its fixtures.

    `each_store` (tests/store/conftest.py) gives half of its tests fakeredis instead.
    """
    if not isinstance(item, pytest.Function):
        return False
    chosen = item.callspec.params if hasattr(item, "callspec") else {}
    return chosen.get("each_store") != "fakeredis" and not {"valkey", "start_store"}.isdisjoint(
        item.fixturenames
    )


@pytest.fixture(scope="session")
def _asyncio_loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """The loop that workers run on, for the tests and fixtures that are coroutines.

    It overrides a fixture of pytest-asyncio. The hook for this purpose would begin a new loop with
    each test, so tests could not share a browser.
    """
    return uvloop.new_event_loop


@pytest.fixture(scope="session", autouse=True)
def _passwords_cost_nothing() -> Iterator[None]:
    """Make hashes in this process in no time, and keys from passphrases.

    A forked program makes real keys, and a fresh one real hashes as well.
    """
    with (
        mock.patch.object(passwords, "HASHER", CHEAP),
        mock.patch.object(archive, "_key", lambda passphrase, _: (passphrase.encode() * 32)[:32]),
    ):
        yield


@pytest.fixture(scope="session", autouse=True)
def _share_an_interpreter(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Let the workers of this run share the interpreter that is forked."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        warm.share(tmp_path_factory.getbasetemp().parent)


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    """The server of this process. It is never stopped: for that there is `start_valkey`."""
    with store_of_this_run() as server:
        yield server


@pytest.fixture
def start_store() -> Iterator[Callable[..., Valkey]]:
    """Start a store of this test's own, of this run's shape: `start_store(config)`."""
    with ExitStack() as running:

        def start(config: Mapping[str, str] | None = None) -> Valkey:
            store: Valkey = running.enter_context(store_of_this_run(config))
            return store

        yield start


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
    empty(valkey)
    opened = open_connection(valkey.url)
    yield opened
    await opened.close()


@pytest.fixture
async def installation(connection: Connection) -> Installation:
    return await Installation.open(connection)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A program of an operator's on loopback."""
    async with Receiver().running() as receiver:
        yield receiver


@pytest.fixture
def clock() -> Clock:
    """A clock that starts at the real time: the scripts in the store go by the store's own."""
    return Clock(float(int(time.time())))


@pytest.fixture(autouse=True)
def _applications_end() -> Iterator[None]:
    """Let go of an application after its test: aiohttp keeps the last thousand handlers.

    Otherwise a process of the run has nearly a gigabyte, and 1,700 open files, in the end.
    """
    yield
    web_app._cached_build_middleware.cache_clear()


@pytest.fixture(autouse=True)
def _every_key_ends(request: pytest.FixtureRequest) -> Iterator[None]:
    used = "valkey" in request.fixturenames
    server = request.getfixturevalue("valkey") if used else None
    yield
    if server is not None:
        assert endless_keys(server) == set()
