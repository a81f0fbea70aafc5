"""`python -m deviceflow serve` as a process of its own, and what it must not leave behind.

A `Program` runs in a data directory and can be stopped, killed and started again.
"""

import json
import os
import re
import signal
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from deviceflow.supervisor.pace_process import PROCESS_NAME
from tests.stage import warm
from tests.stage.ports import free_port
from tests.stage.waiting import PATIENCE_S

COMMAND = warm.FRESH


class Notes:
    """Secrets that were seen on the wire: none of them belongs into a log or onto a disk."""

    def __init__(self) -> None:
        self.secrets: set[str] = set()

    def add(self, *secrets: str) -> None:
        self.secrets.update(filter(None, secrets))

    def found_in(self, text: str) -> set[str]:
        """The kinds of secrets in `text`, told by their beginnings."""
        return {f"{secret[:4]}..." for secret in self.secrets if secret in text}


class Program:
    """`deviceflow serve` with `options`, in `folder`. `log`: the events so far.

    `variables`: those that it has beside ours. `checkout`: the folder of another version to run.
    """

    def __init__(self, folder: Path, options: tuple[str, ...], notes: Notes) -> None:
        self.data_dir = folder / "data"
        self.notes = notes
        self.config = folder / "deviceflow.toml"
        self.log: list[dict[str, Any]] = []
        self.stray: list[str] = []
        self.variables: dict[str, str] = {}
        self.checkout: Path | None = None
        self._options = options
        self._heard = threading.Condition()
        self._process: warm.ForkedProcess | subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self.url = ""
        self.admin_url = ""

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def workers(self) -> list[int]:
        """The worker processes: children that are not the store, and do not share the pace."""
        return [
            pid
            for pid in children(self.pid)
            if (command := command_of(pid))
            and "valkey" not in command
            and name_of(pid) != PROCESS_NAME
        ]

    @property
    def store(self) -> int:
        """The process of the embedded Valkey."""
        (pid,) = [pid for pid in children(self.pid) if "valkey" in command_of(pid)]
        return pid

    def arguments(self, *options: str) -> list[str]:
        """The command line; `options` come last, where they win."""
        places = ("--config", str(self.config), "--data-dir", str(self.data_dir))
        return [*COMMAND, "serve", *places, *self._options, *options]

    def start(self) -> None:
        """Start, on the port of the last time, and wait until it says that it listens."""
        known = len(self.log)
        self.launch()
        event = self.wait_for("server.listening", known)
        self.url, self.admin_url = event["address"], event["admin"]

    def move_to(self, redis_url: str) -> None:
        """Start on another store."""
        self._options = (*self._options, "--redis-url", redis_url)
        self.start()

    def launch(self, *options: str) -> None:
        """Start with more options, and wait for nothing."""
        # Not any free port: after a stop another process might be given it.
        port = str(self.port if self.url else free_port())
        self._join()
        arguments = self.arguments("--port", port, "--admin-port", "0", *options)
        variables = environment() | self.variables
        self._process = warm.start(arguments[len(COMMAND) :], variables, self.checkout)
        self._reader = threading.Thread(target=self._read, args=(self._process,))
        self._reader.start()

    def wait_for(self, name: str, since: int = 0) -> dict[str, Any]:
        """The first event of that name from number `since` on, as soon as it is logged."""

        def found() -> dict[str, Any] | None:
            return next((event for event in self.log[since:] if event["event"] == name), None)

        with self._heard:
            event = self._heard.wait_for(found, PATIENCE_S)
        assert event is not None, f"no {name} in {self.log[since:]} {self.stray}"
        return event

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it with a signal; the exit status."""
        assert self._process is not None
        self._process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Wait until it has ended; the exit status."""
        assert self._process is not None
        status = self._process.wait(PATIENCE_S)
        if status >= 0:  # after a SIGKILL the workers still hold the pipe
            self._join()
        return status

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def end(self) -> None:
        """Leave no process behind, whatever the test did."""
        if self._process is None:
            return
        left = [*children(self.pid), self.pid]
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(PATIENCE_S)
        for pid in filter(is_running, left):
            os.kill(pid, signal.SIGKILL)
        self._process.wait()
        self._join()

    def _join(self) -> None:
        """Read standard error to its end; the workers of a killed supervisor hold it, too."""
        if self._process is None or self._reader is None:
            return
        self._reader.join(PATIENCE_S)
        if self._process.stderr is not None:
            self._process.stderr.close()

    def _read(self, process: warm.ForkedProcess | subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            with self._heard:
                try:
                    self.log.append(json.loads(line))
                except ValueError:
                    self.stray.append(line)
                self._heard.notify_all()


def children(pid: int) -> list[int]:
    """The child processes of `pid` that run."""
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except OSError:
        return []
    return [child for child in map(int, listed.split()) if is_running(child)]


def command_of(pid: int) -> str:
    """The command line of a process, or an empty text once it has ended."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\x00", b" ").decode()
    return ""


def name_of(pid: int) -> str:
    """The name of a process, as `ps -o comm` shows it."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    return ""


def is_running(pid: int) -> bool:
    """Whether a process is there; one that has ended and only waits to be reaped is not."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return False
    return re.search(r"^State:\s+[ZX]", status, re.MULTILINE) is None


def environment() -> dict[str, str]:
    """Ours, without settings of a server."""
    return {name: text for name, text in os.environ.items() if not name.startswith("DEVICEFLOW_")}
