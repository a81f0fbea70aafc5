"""Processes: started on a core, measured, and always ended by their ids."""

import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 20.0
LOG_LINES = 15

_OWN = ("Pss_Anon:", "Pss_Shmem:")
_SLEPT = re.compile(r"^voluntary_ctxt_switches:\s*(\d+)$", re.MULTILINE)
_SCHEDULED = 2
"""`CPUCLOCK_SCHED`: user and system time, as the scheduler counts it, in ns."""


class BenchmarkError(Exception):
    """A benchmark cannot go on. The text says why and what to do."""


@contextmanager
def running(
    command: Sequence[str],
    log: Path,
    *,
    core: int | None = None,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command` pinned to `core`, as long as the block lasts. Its output goes to `log`."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            pinned(command, core),
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # Ctrl-C must only reach this process, which then ends the others in order.
            start_new_session=True,
        )
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process with SIGTERM, and with SIGKILL if it does not end."""
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        for pid in family(process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, 9)
        process.wait()


def pinned(command: Sequence[str], core: int | None) -> list[str]:
    """Return the command that runs `command` on one core."""
    return [*(("taskset", "-c", str(core)) if core is not None else ()), *command]


@contextmanager
def here_on(core: int | None) -> Iterator[None]:
    """Pin this process to `core`, as long as the block lasts."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def free_port() -> int:
    """Return a free TCP port of 127.0.0.1."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_for_port(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until `port` accepts connections. May raise BenchmarkError."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-LOG_LINES:])
    raise BenchmarkError(f"a server did not start; the end of its log:\n{tail}")


def family(pid: int) -> list[int]:
    """Return `pid` and its descendants, as far as /proc lists them."""
    pids = [pid]
    for process in pids:
        with suppress(OSError):
            text = Path(f"/proc/{process}/task/{process}/children").read_text()
            pids.extend(int(child) for child in text.split())
    return pids


def cpu_seconds(pids: Sequence[int]) -> float:
    """Return the CPU time of `pids` and their descendants, or 0 where Linux's clocks are missing.

    It includes threads that have ended, such as those that hash a password. Linux has a clock for
    the CPU time of each process; its number is made from the process id.
    """
    total = 0.0
    for root in pids:
        for pid in family(root):
            with suppress(OSError):
                total += time.clock_gettime((~pid << 3) | _SCHEDULED)
    return total


def wake_ups(pids: Sequence[int]) -> int:
    """Return how often threads of `pids` and their descendants went to sleep, and so woke up.

    Threads that have ended do not count, and so the number may become less.
    """
    total = 0
    for root in pids:
        for pid in family(root):
            for status in Path(f"/proc/{pid}/task").glob("*/status"):
                with suppress(OSError):
                    total += int(_SLEPT.findall(status.read_text())[0])
    return total


def memory_bytes(pid: int) -> int:
    """Return the memory of `pid` and its descendants. A shared page is counted once.

    It is the proportional set size without files: with them, it would depend on other processes
    that map the same code. May raise BenchmarkError: if the system does not have the figures.
    """
    total = 0
    for process in family(pid):
        try:
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        except OSError as error:
            if process != pid and not Path(f"/proc/{process}").exists():
                continue  # it has ended since
            raise BenchmarkError("/proc/*/smaps_rollup cannot be read: Linux only") from error
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(_OWN))
    return total
