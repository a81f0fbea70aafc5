"""A process of a run: `python -m deviceflow.fleet.process`.

It reads its order, and writes that it is ready. Then it reads the time at which the run begins,
and writes a line for each tick. If it cannot go on, its last line says why. When its input ends, it
ends the run, so it does not outlive the process that has started it.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import Self

import msgspec

from deviceflow.device.errors import DeviceFlowError
from deviceflow.fleet.loop import run_loop
from deviceflow.fleet.plan import Plan
from deviceflow.fleet.share import Share, run_share
from deviceflow.fleet.tally import Tick
from deviceflow.tasks import end

LONGEST_LINE_BYTES = 1 << 24
STOP_S = 20.0
_READY = b"ready\n"


class ProcessEndedError(DeviceFlowError):
    """A process of the run has ended before its time, or does not end."""


class Order(msgspec.Struct, frozen=True):
    """The work of a process: the share `number` of a plan."""

    plan: Plan
    number: int


class Failure(msgspec.Struct, frozen=True, tag="failure"):
    """Why a process cannot go on, for a person."""

    reason: str


class FleetProcess:
    """The handle of a process that runs a share, in the process that shows the run."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, order: Order) -> Self:
        """Start it. May raise ProcessEndedError."""
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", __name__),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=LONGEST_LINE_BYTES,
                # Ctrl-C must only reach the process that shows the run. That one ends the others.
                start_new_session=True,
            )
        except OSError as error:
            raise ProcessEndedError(
                f"A process of the run cannot be started: {error.strerror}. Use fewer (--processes)"
                ", or raise the limits on open files and processes (ulimit -n, -u)."
            ) from error
        started = cls(process)
        started._write(msgspec.json.encode(order))
        return started

    async def ready(self) -> None:
        """Wait until it is ready. May raise ProcessEndedError."""
        stdout = self._process.stdout
        if stdout is None or await stdout.readline() != _READY:
            raise ProcessEndedError("A process of the run does not start.")

    def begin(self, began: float) -> None:
        """Begin the run at a time (time.monotonic)."""
        self._write(msgspec.json.encode(began))

    async def read(self, on_tick: Callable[[Tick], None]) -> None:
        """Read its ticks until it ends. May raise ProcessEndedError."""
        if self._process.stdout is not None:
            async for line in self._process.stdout:
                message = msgspec.json.decode(line, type=Tick | Failure)
                if isinstance(message, Failure):
                    raise ProcessEndedError(message.reason)
                on_tick(message)
        if status := await self._process.wait():
            raise ProcessEndedError(_end_in_words(status))

    def stop(self) -> None:
        """Ask it to end the run. Its last tick still comes."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _write(self, line: bytes) -> None:
        if self._process.stdin is not None:
            self._process.stdin.write(line + b"\n")

    async def close(self) -> None:
        """Wait until it has ended, and kill it if it does not end by itself."""
        self.stop()
        try:
            async with asyncio.timeout(STOP_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


def _end_in_words(status: int) -> str:
    if status == -signal.SIGKILL:
        return (
            "A process of the run was killed (SIGKILL). Linux does that when the memory is used up:"
            " use fewer devices, or a machine with more memory."
        )
    return f"A process of the run has ended with status {status}. Standard error says why."


async def run_processes(
    plan: Plan,
    on_begin: Callable[[float], None],
    on_tick: Callable[[Tick], None],
    stop: asyncio.Event,
) -> None:
    """Run the shares of a plan, each in a process. May raise ProcessEndedError.

    `on_begin` is called with the time (time.monotonic) at which all of them begin.
    """
    processes: list[FleetProcess] = []
    try:
        for number in range(plan.processes):
            processes.append(await FleetProcess.start(Order(plan, number)))  # noqa: PERF401, closed
        await asyncio.gather(*(process.ready() for process in processes))
        began = time.monotonic()
        on_begin(began)
        for process in processes:
            process.begin(began)
        await _read_all(processes, on_tick, stop)
    finally:
        for process in processes:
            await process.close()


async def _read_all(
    processes: Sequence[FleetProcess], on_tick: Callable[[Tick], None], stop: asyncio.Event
) -> None:
    """Read the ticks of all until they end, also if they are stopped."""

    async def stop_all() -> None:
        await stop.wait()
        for process in processes:
            process.stop()

    stopping = asyncio.create_task(stop_all())
    reading = [asyncio.create_task(process.read(on_tick)) for process in processes]
    try:
        await asyncio.gather(*reading)
    finally:
        await end(stopping, *reading)


async def _main() -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=LONGEST_LINE_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    order = msgspec.json.decode(await reader.readline(), type=Order)
    _write(_READY)
    began = msgspec.json.decode(await reader.readline() or b"0", type=float)
    share = Share(number=order.number, of=order.plan.processes, began=began)
    stop = asyncio.Event()

    async def wait_for_end() -> None:
        await reader.read()
        stop.set()

    waiting = asyncio.create_task(wait_for_end())
    try:
        await run_share(order.plan, share, _tell, stop)
    except DeviceFlowError as error:
        _tell(Failure(str(error)))
    finally:
        await end(waiting)


def _tell(message: Tick | Failure) -> None:
    _write(msgspec.json.encode(message) + b"\n")


def _write(line: bytes) -> None:
    try:
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os._exit(1)  # the process that shows the run is gone, and with it the reader of this


if __name__ == "__main__":
    run_loop(_main())
