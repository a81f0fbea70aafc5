"""A process of a run: `python -m deviceflow.fleet.process`.

The first line of its input is its order. It writes a line for each tick. When its input ends, it
ends the run, so it does not outlive the process that has started it.
"""

import asyncio
import sys
from collections.abc import Callable
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


class ProcessEndedError(DeviceFlowError):
    """A process of the run has ended before its time, or does not end."""


class Order(msgspec.Struct, frozen=True):
    """What a process has to do."""

    plan: Plan
    share: Share


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
        if process.stdin is not None:
            process.stdin.write(msgspec.json.encode(order) + b"\n")
        return cls(process)

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
    plan: Plan, began: float, on_tick: Callable[[Tick], None], stop: asyncio.Event
) -> None:
    """Run the shares of a plan, each in a process. May raise ProcessEndedError."""
    processes: list[FleetProcess] = []
    reading: list[asyncio.Task[None]] = []
    stopping = asyncio.create_task(stop.wait())
    try:
        for number in range(plan.processes):
            share = Share(number=number, of=plan.processes, began=began)
            processes.append(await FleetProcess.start(Order(plan, share)))
            reading.append(asyncio.create_task(processes[-1].read(on_tick)))
        left: set[asyncio.Task[None]] = set(reading)
        while left:
            done, _ = await asyncio.wait({*left, stopping}, return_when=asyncio.FIRST_COMPLETED)
            left -= done
            if stopping in done:
                break
            for task in done:
                task.result()
        for process in processes:
            process.stop()
        async with asyncio.timeout(STOP_S):
            await asyncio.gather(*left)
    except TimeoutError:
        raise ProcessEndedError("A process of the run does not end.") from None
    finally:
        await end(stopping)
        for process in processes:
            await process.close()
        for task in reading:
            task.cancel()


async def _main() -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=LONGEST_LINE_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    order = msgspec.json.decode(await reader.readline(), type=Order)
    stop = asyncio.Event()

    async def wait_for_end() -> None:
        await reader.read()
        stop.set()

    waiting = asyncio.create_task(wait_for_end())
    try:
        await run_share(order.plan, order.share, _write, stop)
    finally:
        await end(waiting)


def _write(tick: Tick) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(tick) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    run_loop(_main())
