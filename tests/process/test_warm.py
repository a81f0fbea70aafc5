"""A forked process is to its user like a fresh one: most tests of this folder start forked ones."""

import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from subprocess import PIPE

import pytest

from tests.stage import warm
from tests.stage.checkout import ROOT
from tests.stage.program import environment, is_running
from tests.stage.waiting import PATIENCE_S, until_outside


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


SHARING = """
import os, pathlib, signal, sys
from tests.stage import warm
warm.share(pathlib.Path(sys.argv[1]))
process = warm.start(["login", "--issuer", "http://127.0.0.1:9"], os.environ)
print(pathlib.Path(f"/proc/{process.pid}/stat").read_text().split()[3], flush=True)
process.send_signal(signal.SIGKILL)
process.wait()
sys.stdin.read()
"""


def test_processes_that_share_an_interpreter(tmp_path: Path) -> None:
    """It ends after the last of them."""
    command = [sys.executable, "-c", SHARING, str(tmp_path)]
    with ExitStack() as stack:
        sharing = [
            stack.enter_context(
                subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True, cwd=ROOT)
            )
            for _ in range(2)
        ]
        (interpreter,) = {int(each.stdout.readline()) for each in sharing if each.stdout}
        assert is_running(interpreter)
    until_outside(lambda: not is_running(interpreter))


def test_an_interpreter_that_has_ended_is_replaced(tmp_path: Path) -> None:
    """The note of where it listened is still there."""
    place = tmp_path / "interpreter"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(str(place))
    assert warm._connect(place) is None
    assert warm._connect(tmp_path / "none") is None


ENDING = """
import os, sys
from tests.stage import forking

def leave(): sys.exit()
def leave_with_a_status(): sys.exit(3)
def leave_with_words(): sys.exit("why")
def fail(): 1 / 0

for end in (lambda: None, leave, leave_with_a_status, leave_with_words, fail):
    pid = os.fork()
    if pid == 0:
        forking.program.main = end
        forking.run_command()
        break
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


def test_how_a_forked_program_may_end() -> None:
    """Its status and what it says are those of any interpreter."""
    ended = subprocess.run(
        [sys.executable, "-c", ENDING], check=True, capture_output=True, text=True, cwd=ROOT
    )
    assert ended.stdout.split() == ["0", "0", "3", "1", "1"]
    assert ended.stderr.splitlines()[0] == "why"
    assert ended.stderr.splitlines()[-1] == "ZeroDivisionError: division by zero"


def test_a_signal_is_its_end() -> None:
    process = warm.start(["login", "--issuer", "http://127.0.0.1:9"], environment())
    process.send_signal(signal.SIGKILL)
    assert process.wait(PATIENCE_S) == -signal.SIGKILL
    assert process.stderr is not None
    process.stderr.close()
