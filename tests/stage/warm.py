"""Processes of `python -m deviceflow` that need not import the package: they are forked.

A start spends nine tenths of its CPU time on imports, and the tests start hundreds of servers and
commands. So the workers of a run share an interpreter that has imported everything
(`tests/stage/forking.py`) and that forks itself for them. A forked process has its own arguments,
variables, folder and standard streams, as any other has; an upgrade replaces it by a fresh one.

Where an interpreter or a library reads a variable at its start (`READ_AT_START`), a fresh one is
started. So it is in the tests of the demo, of the documents, of the histories and of what is
installed: they start `deviceflow` as users do.
"""

import atexit
import fcntl
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryFile, mkdtemp
from typing import IO

from tests.stage.waiting import PATIENCE_S

FRESH = (sys.executable, "-m", "deviceflow")

READ_AT_START = ("COVERAGE", "LANG", "LC_", "LD_", "MALLOC_", "PYTHON", "SSL_", "TZ")
"""How the names of variables begin that a forked process would not notice."""

_LONGEST_ANSWER = 32


class ForkedProcess:
    """A process, with the methods of `subprocess.Popen` that tests use.

    `answers`: where its id is, and then its exit status, as soon as it has one.
    """

    def __init__(self, answers: socket.socket, stderr: IO[str] | None = None) -> None:
        self.stderr = stderr
        self.returncode: int | None = None
        self._answers = answers
        self.pid = self._answer()

    def poll(self) -> int | None:
        """The exit status, if it has ended; that of a signal is below 0."""
        if self.returncode is None and self._has_answer(0):
            self._read_status()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended; the exit status. May raise `subprocess.TimeoutExpired`."""
        if self.returncode is None:
            if not self._has_answer(timeout):
                raise subprocess.TimeoutExpired("deviceflow", timeout or 0)
            self._read_status()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def _has_answer(self, timeout: float | None) -> bool:
        poll = select.poll()
        poll.register(self._answers, select.POLLIN)
        return bool(poll.poll(None if timeout is None else timeout * 1000))

    def _answer(self) -> int:
        text = self._answers.recv(_LONGEST_ANSWER)
        assert text, "the interpreter that is forked has ended"
        return int(text)

    def _read_status(self) -> None:
        self.returncode = self._answer()
        self._answers.close()


_started_with = {name: text for name, text in os.environ.items() if name.startswith(READ_AT_START)}

_shared: list[Path] = []  # the folder, if there is one


def share(folder: Path) -> None:
    """Share an interpreter with the processes that share `folder`, in place of one's own."""
    _shared[:] = [folder]


@cache
def _interpreter(checkout: Path | None) -> socket.socket:
    """Connect to the interpreter of a version. It ends with the last process that is connected."""
    if _shared:
        version = sha256(str(checkout).encode()).hexdigest()[:8]
        note = _shared[0] / f"interpreter-{version}"
        with note.open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            connection = _connect(Path(file.read()))
            if connection is None:
                file.truncate(0)
                place, connection = _start_interpreter(checkout)
                file.write(str(place))
    else:
        _, connection = _start_interpreter(checkout)
    atexit.register(connection.close)
    return connection


def _connect(place: Path) -> socket.socket | None:
    """Connect to the interpreter that listens at `place`, if one does, and is not about to end."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with suppress(OSError):
        connection.connect(str(place))
        if connection.recv(1):
            return connection
    connection.close()
    return None


def _start_interpreter(checkout: Path | None) -> tuple[Path, socket.socket]:
    """Start one, and connect to it. Return where it listens, too.

    A socket's path may have 104 characters at most, so it is not in a folder of pytest's. The
    interpreter removes it.
    """
    place = Path(mkdtemp(prefix="df-")) / "interpreter"
    script = Path(__file__).with_name("forking.py")
    others = {name: text for name, text in os.environ.items() if not name.startswith(READ_AT_START)}
    version = {"PYTHONPATH": str(checkout)} if checkout else {}
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(str(place))
        listening.listen()
        connection.connect(str(place))
        os.posix_spawn(
            sys.executable,
            [sys.executable, "-P", str(script)],
            others | _started_with | version,
            file_actions=[(os.POSIX_SPAWN_DUP2, listening.fileno(), 0)],
        )
    assert connection.recv(1), "the interpreter has ended"
    return place, connection


def fork(
    arguments: list[str],
    variables: Mapping[str, str],
    *,
    folder: Path | None = None,
    checkout: Path | None = None,
    streams: tuple[int, int, int] = (0, 1, 2),
) -> socket.socket:
    """Start a process. Return where its answers are.

    `variables`: all that it has. `checkout`: the version, this one by default. `streams`: the
    descriptors of its standard streams.
    """
    own, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    start = {
        "arguments": arguments,
        "variables": dict(variables),
        "folder": str(folder or checkout or Path.cwd()),
    }
    with other:
        descriptors = [*streams, other.fileno()]
        socket.send_fds(_interpreter(checkout), [json.dumps(start).encode()], descriptors)
    return own


def start(
    arguments: list[str], variables: Mapping[str, str], checkout: Path | None = None
) -> "ForkedProcess | subprocess.Popen[str]":
    """Start a process whose standard error can be read."""
    if needs_fresh(variables):
        place = {"PYTHONPATH": str(checkout)} if checkout else {}
        return subprocess.Popen(
            [*FRESH, *arguments],
            stderr=subprocess.PIPE,
            text=True,
            env={**variables, **place},
            cwd=checkout,
        )
    readable, writable = os.pipe()
    try:
        answers = fork(arguments, variables, checkout=checkout, streams=(0, 1, writable))
    finally:
        os.close(writable)
    return ForkedProcess(answers, os.fdopen(readable, encoding="utf-8"))


def run(
    arguments: list[str],
    variables: Mapping[str, str],
    *,
    given: str = "",
    folder: Path | None = None,
    checkout: Path | None = None,
) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end, with `given` on standard input, and keep what it writes."""
    if needs_fresh(variables):
        place = {"PYTHONPATH": str(checkout)} if checkout else {}
        return subprocess.run(
            [*FRESH, *arguments],
            check=False,
            input=given,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            cwd=folder,
            env={**variables, **place},
        )
    with TemporaryFile("w+") as stdin, TemporaryFile("w+") as stdout, TemporaryFile("w+") as stderr:
        stdin.write(given)
        stdin.seek(0)
        streams = (stdin.fileno(), stdout.fileno(), stderr.fileno())
        process = ForkedProcess(
            fork(arguments, variables, folder=folder, checkout=checkout, streams=streams)
        )
        try:
            status = process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            raise
        stdout.seek(0)
        stderr.seek(0)
        return subprocess.CompletedProcess(arguments, status, stdout.read(), stderr.read())


def needs_fresh(variables: Mapping[str, str]) -> bool:
    """Whether a forked process would not notice one of `variables`."""
    return any(
        _started_with.get(name) != text
        for name, text in variables.items()
        if name.startswith(READ_AT_START)
    )
