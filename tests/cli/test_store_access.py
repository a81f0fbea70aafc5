"""The store of a command, and the messages about it."""

import asyncio
import gc
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from click.testing import CliRunner, Result

from deviceflow.__main__ import main
from deviceflow.cli.store_access import with_store
from deviceflow.config import load
from deviceflow.store.connection import Connection
from deviceflow.store.embedded import EmbeddedValkey
from tests.cli.conftest import FILE
from tests.stage.program import COMMAND, environment
from tests.stage.valkey import Valkey
from tests.stage.waiting import PATIENCE_S, until_outside


@pytest.fixture
def folder() -> Iterator[Path]:
    """Make a folder with a short path, because the store's socket is in it."""
    with TemporaryDirectory(prefix="df-") as name:
        yield Path(name)


@pytest.fixture
def config(folder: Path) -> Path:
    (folder / "etc").mkdir()
    file = folder / "etc" / "deviceflow.toml"
    file.write_text(FILE, encoding="utf-8")
    return file


def run(config: Path, *arguments: str, given: str | None = None) -> Result:
    command, *rest = arguments
    return CliRunner().invoke(main, [command, "--config", str(config), *rest], input=given)


def test_the_store_of_the_file_wherever_one_is(
    config: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change is made in the store beside the file, is reported on standard error, and lasts."""
    store = config.parent / "deviceflow-data"
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    first = run(config, "clients", "disable", "tv-app")
    assert (first.exit_code, first.stdout) == (0, "disabled tv-app\n")
    assert first.stderr.splitlines() == [
        f"deviceflow: no store in {store} yet: making a new one",
        f"store: {store}",
    ]
    monkeypatch.chdir(folder)
    listed = run(config, "clients", "list")
    assert listed.stdout.split()[:3] == ["tv-app", "disabled", "store"]
    assert listed.stderr == ""
    again = run(config, "clients", "enable", "tv-app")
    assert again.stderr == f"store: {store}\n"
    assert list(folder.glob("*/*/lock")) == [store / "lock"]


@pytest.mark.parametrize(
    ("arguments", "status", "shown"),
    [
        (("clients", "list"), 0, "tv-app"),
        (("clients", "show", "tv-app"), 0, "Living-room TV"),
        (("keys", "list"), 0, ""),
        (("users", "list", "--json"), 0, "[]"),
    ],
)
def test_who_only_reads_makes_no_store(
    config: Path, arguments: tuple[str, ...], status: int, shown: str
) -> None:
    result = run(config, *arguments)
    assert (result.exit_code, shown in result.stdout) == (status, True)
    assert result.stderr.startswith(f"deviceflow: no store in {config.parent}/deviceflow-data yet")
    assert list(config.parent.iterdir()) == [config]


def test_a_store_on_the_network(start_valkey: Callable[..., Valkey], config: Path) -> None:
    """The message has host and port, but never the password."""
    server = start_valkey(tcp=True)
    with server.client() as client:
        client.config_set("requirepass", "hunter22")
    places = ["--redis-url", f"redis://:hunter22@127.0.0.1:{server.port}/0"]
    for command in (["keys", *places, "rotate"], ["clients", *places, "disable", "tv-app"]):
        result = run(config, *command)
        assert result.exit_code == 0, result.output
        *audited, place = result.stderr.splitlines()
        assert place == f"store: Redis at 127.0.0.1:{server.port}"
        assert ["is not in the audit file" in line for line in audited] == [True]


@pytest.mark.parametrize("command", ["list", "rotate"])
def test_out_of_reach(config: Path, command: str) -> None:
    result = run(config, "keys", "--redis-url", "redis://me:hunter22@127.0.0.1:1/0", command)
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert "127.0.0.1:1: nothing listens there" in line
    assert "hunter22" not in line


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_is_ended_ends_its_store(config: Path, number: signal.Signals) -> None:
    """While it waits for a password: a process that ran on would keep the data directory."""
    store = EmbeddedValkey(config.parent / "deviceflow-data")
    add = ("users", "--config", str(config), "add", "carol", "--password-stdin")
    with subprocess.Popen(
        [*COMMAND, *add], stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        until_outside(store.is_served)
        process.send_signal(number)
        assert process.wait(PATIENCE_S) == 128 + number
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()
    assert not store.is_served()


def test_a_signal_that_comes_while_another_task_runs(
    config: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The signal ends the command, and no exception is printed."""

    async def end() -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    async def command(_: Connection) -> None:
        await asyncio.gather(end(), asyncio.Event().wait())

    with pytest.raises(SystemExit) as ended:
        with_store(load(config, environ={}), command, changes=True)
    assert ended.value.code == 128 + signal.SIGTERM
    del ended  # its traceback keeps the task
    gc.collect()
    assert caplog.records == []


def test_a_task_that_fails_is_reported(config: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    async def command(_: Connection) -> None:
        await asyncio.wait([asyncio.create_task(fail())])
        gc.collect()

    with_store(load(config, environ={}), command, changes=True)
    assert [record.getMessage().splitlines()[0] for record in caplog.records] == [
        "Task exception was never retrieved"
    ]
