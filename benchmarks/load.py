"""Load: requests from many connections for some seconds, by wrk or by generator.py."""

import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks.polls import CODE_LENGTH
from benchmarks.processes import BenchmarkError, pinned

CONNECTIONS = 64
SCRIPT = Path(__file__).parent / "poll.lua"
TIMEOUT_S = 30
SLACK = 0.001


class Shot(NamedTuple):
    """The requests to send: `before`, then a code of the file `codes`, from number `first` on.

    `length`: of a code in the file, in bytes.
    """

    before: bytes
    codes: Path | None = None
    first: int = 0
    length: int = CODE_LENGTH


class LoadResult(msgspec.Struct, frozen=True):
    """The results of a shot. `busy`: CPU s per s of the generator, 1.0 for a full core."""

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
    """The place of the load, and its connections and threads."""

    folder: Path
    core: int | None
    connections: int = CONNECTIONS
    threads: int = 1

    def fire(self, port: int, shot: Shot, seconds: float, *, sample: bool = False) -> LoadResult:
        """Send for `seconds`. `sample`: count the answers by kind, which makes wrk slower.

        May raise BenchmarkError: if too many connections fail.
        """
        before = self.folder / f"before-{port}"
        before.write_bytes(shot.before)
        codes = str(shot.codes or "-")
        arguments = [str(before), codes, str(shot.first), str(shot.length)]
        if shutil.which("wrk"):
            more = [str(self.threads), *(("sample",) if sample else ())]
            command = self._wrk(port, seconds, [*arguments, *more])
        else:
            first = [str(port), str(self.connections), str(seconds)]
            command = [sys.executable, "-m", "benchmarks.generator", *first, *arguments]
        return _run(pinned(command, self.core), seconds)

    def _wrk(self, port: int, seconds: float, arguments: list[str]) -> list[str]:
        # wrk accepts only whole seconds, and needs a connection for each thread.
        options = [f"-t{self.threads}", f"-c{self.connections}", f"-d{max(1, round(seconds))}s"]
        url = f"http://127.0.0.1:{port}/"
        return ["wrk", *options, "--timeout", "5s", "-s", str(SCRIPT), url, "--", *arguments]


def generator() -> str:
    """Return the name of the load generator, for people."""
    return "wrk" if shutil.which("wrk") else "the generator of benchmarks/generator.py"


def _run(command: list[str], seconds: float) -> LoadResult:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds + TIMEOUT_S,
        cwd=Path(__file__).parent.parent,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        fired = msgspec.json.decode(process.stdout.strip().rpartition("\n")[2], type=LoadResult)
    except msgspec.DecodeError as error:
        output = f"{process.stdout}{process.stderr}"
        raise BenchmarkError(f"the load generator printed no figures:\n{output}") from error
    if fired.failed > SLACK * fired.requests:
        raise BenchmarkError(f"{fired.failed} of {fired.requests} requests had no answer")
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return msgspec.structs.replace(fired, busy=used / fired.seconds)
