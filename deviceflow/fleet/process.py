"""A process of a run: `python -m deviceflow.fleet.process`.

The first line of its input is its order. It says that it is ready, and the second line is the time
at which the run begins. Then it writes a line for each tick. When its input ends, it ends the run,
so it does not outlive the process that has started it.
"""

import asyncio
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
    """What a process has to do: the share `number` of a plan."""

    plan: Plan
    number: int


class FleetProcess:
    """A process that runs a share, as it is seen from outside."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, order: Order) -> Self:
        """Start it."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", __name__),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LONGEST_LINE_BYTES,
            # Ctrl-C must only reach the process that shows the run. That one ends the others.
            start_new_session=True,
        )
        started = cls(process)
        started._write(msgspec.json.encode(order))
        return started

    async def ready(self) -> None:
        """Wait until it is ready. May raise ProcessEndedError."""
        stdout = self._process.stdout
        if stdout is None or await stdout.readline() != _READY:
            raise ProcessEndedError("A process of the run does not start.")

    def begin(self, began: float) -> None:
        """Let the run begin at a time (time.monotonic)."""
        self._write(msgspec.json.encode(began))

    async def read(self, on_tick: Callable[[Tick], None]) -> None:
        """Read its ticks until it ends. May raise ProcessEndedError."""
        if self._process.stdout is not None:
            async for line in self._process.stdout:
                on_tick(msgspec.json.decode(line, type=Tick))
        if status := await self._process.wait():
            raise ProcessEndedError(f"A process of the run has ended with status {status}.")

    def stop(self) -> None:
        """Let it end the run: its last tick is still to come."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _write(self, line: bytes) -> None:
        if self._process.stdin is not None:
            self._process.stdin.write(line + b"\n")

    async def close(self) -> None:
        """See to it that it has ended."""
        self.stop()
        try:
            async with asyncio.timeout(STOP_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


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
    sys.stdout.buffer.write(_READY)
    sys.stdout.buffer.flush()
    began = msgspec.json.decode(await reader.readline() or b"0", type=float)
    share = Share(number=order.number, of=order.plan.processes, began=began)
    stop = asyncio.Event()

    async def wait_for_end() -> None:
        await reader.read()
        stop.set()

    waiting = asyncio.create_task(wait_for_end())
    try:
        await run_share(order.plan, share, _write, stop)
    finally:
        await end(waiting)


def _write(tick: Tick) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(tick) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    run_loop(_main())
