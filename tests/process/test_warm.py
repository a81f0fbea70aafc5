"""A forked process is to its user like a fresh one: most tests of this folder start forked ones."""

import signal
import subprocess
from pathlib import Path

import pytest

from tests.stage import warm
from tests.stage.program import environment
from tests.stage.waiting import PATIENCE_S


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["config", "deviceflow.toml"], 0),
        (["reload", "--no-such-option"], 2),
        (["reload"], 1),
    ],
)
def test_a_command(arguments: list[str], status: int, folder: Path) -> None:
    """Its output, its errors with the name of the program, and its status; folder and variables."""
    variables = environment() | {"DEVICEFLOW_SERVER_DATA_DIR": "named-by-a-variable"}
    forked = warm.run(arguments, variables, folder=folder)
    fresh = subprocess.run(
        [*warm.FRESH, *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        env=variables,
    )
    said = (forked.returncode, forked.stdout, forked.stderr)
    assert said == (fresh.returncode, fresh.stdout, fresh.stderr)
    assert forked.returncode == status


def test_standard_input(folder: Path) -> None:
    arguments = ["users", "add", "eve", "--password-stdin"]
    added = warm.run(arguments, environment(), given="a long password\n", folder=folder)
    assert (added.returncode, added.stdout) == (0, "added eve\n")


def test_a_variable_that_an_interpreter_reads_needs_a_fresh_one() -> None:
    assert warm.needs_fresh(environment() | {"LD_PRELOAD": "/lib/libfaketime.so"})
    assert not warm.needs_fresh(environment() | {"DEVICEFLOW_ISSUER": "https://login.example"})


def test_a_signal_is_its_end() -> None:
    process = warm.start(["login", "--issuer", "http://127.0.0.1:9"], environment())
    process.send_signal(signal.SIGKILL)
    assert process.wait(PATIENCE_S) == -signal.SIGKILL
    assert process.stderr is not None
    process.stderr.close()
