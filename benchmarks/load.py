"""Load: requests from many connections for some seconds, by wrk or by our own generator."""

import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks.processes import BenchmarkError, pinned

CONNECTIONS = 64
SCRIPT = Path(__file__).parent / "poll.lua"
TIMEOUT_S = 30
SLACK = 0.001


class Shot(NamedTuple):
    """What to send: `before` the codes of the file `codes`, beginning with number `first`."""

    before: bytes
    codes: Path | None = None
    first: int = 0


class Fired(msgspec.Struct, frozen=True):
    """What came of it. `busy`: CPU s per s that the generator used, 1.0 for a full core."""

    requests: int
    seconds: float
    failed: int
    refused: int
    p50_us: float
    p99_us: float
    pending: int
    slow_down: int
    other: int
    busy: float = 0.0

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.requests / self.seconds


class Load(NamedTuple):
    """Where the load runs, and on how many connections and threads."""

    folder: Path
    core: int | None
    connections: int = CONNECTIONS
    threads: int = 1

    def fire(self, port: int, shot: Shot, seconds: float, *, sample: bool = False) -> Fired:
        """Send for `seconds`. `sample` counts the answers by kind (and slows wrk down).

        Raises BenchmarkError: too many connections failed.
        """
        before = self.folder / f"before-{port}"
        before.write_bytes(shot.before)
        arguments = [str(before), str(shot.codes or "-"), str(shot.first)]
        if shutil.which("wrk"):
            more = [str(self.threads), *(("sample",) if sample else ())]
            command = self._wrk(port, seconds, [*arguments, *more])
        else:
            given = [str(port), str(self.connections), str(seconds)]
            command = [sys.executable, "-m", "benchmarks.generator", *given, *arguments]
        return _run(pinned(command, self.core), seconds)

    def _wrk(self, port: int, seconds: float, arguments: list[str]) -> list[str]:
        # wrk takes whole seconds only, and needs a connection for each thread.
        options = [f"-t{self.threads}", f"-c{self.connections}", f"-d{max(1, round(seconds))}s"]
        url = f"http://127.0.0.1:{port}/"
        return ["wrk", *options, "--timeout", "5s", "-s", str(SCRIPT), url, "--", *arguments]


def generator() -> str:
    """Who makes the load, for people."""
    return "wrk" if shutil.which("wrk") else "the generator of benchmarks/generator.py"


def _run(command: list[str], seconds: float) -> Fired:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds + TIMEOUT_S,
        cwd=Path(__file__).parent.parent,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        fired = msgspec.json.decode(done.stdout.strip().rpartition("\n")[2], type=Fired)
    except msgspec.DecodeError as error:
        raise BenchmarkError(f"the load said nothing:\n{done.stdout}{done.stderr}") from error
    if fired.failed > SLACK * fired.requests:
        raise BenchmarkError(f"{fired.failed} of {fired.requests} requests had no answer")
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return msgspec.structs.replace(fired, busy=used / fired.seconds)
