"""The sampler: what is a state and no event is measured four times a second, in each worker."""

import asyncio
import os
import resource
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.metric import Metric
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.tasks import end

Gauge = tuple[Metric, Callable[[], float]]
"""A gauge, and what measures it."""

_TICK_S = 0.25
SLOW_TICKS = 60
"""What costs more than a look into memory is measured each 15 s."""

_FOLDERS_OF_FDS = ("/proc/self/fd", "/dev/fd")


@dataclass(kw_only=True)
class Sampler:
    """Measures one worker while `run` runs.

    `live_grants` asks the store, and returns None if that is
    away. `on_tick` is called at each tick.
    """

    recorder: Recorder
    gauges: tuple[Gauge, ...]
    live_grants: Callable[[], Awaitable[int | None]]
    on_tick: Callable[[], None]

    _cpu_s: float = field(default=0.0, init=False)

    async def live(self, _: web.Application) -> AsyncIterator[None]:
        """Measure while the application runs."""
        sampling = asyncio.create_task(self.run())
        yield
        await end(sampling)

    async def run(self) -> None:
        """Measure until cancelled."""
        self.recorder.set(table.MAX_FDS, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        slow: asyncio.Task[None] | None = None
        tick = 0
        try:
            while True:
                self.sample()
                if tick % SLOW_TICKS == 0 and (slow is None or slow.done()):
                    # A store that hangs must not keep the heartbeat.
                    slow = asyncio.create_task(self._sample_slowly())
                tick += 1
                planned = time.monotonic() + _TICK_S
                await asyncio.sleep(_TICK_S)
                self.recorder.observe(table.LOOP_LAG, time.monotonic() - planned)
        finally:
            if slow is not None:
                slow.cancel()
            self.recorder.close()

    def sample(self) -> None:
        """Measure what is in memory, and publish what the lane has counted."""
        for metric, value in self.gauges:
            self.recorder.set(metric, value())
        cpu_s = time.process_time()
        self.recorder.count(table.WORKER_CPU, by=cpu_s - self._cpu_s)
        self._cpu_s = cpu_s
        self.on_tick()
        self.recorder.publish()
        self.recorder.set(table.HEARTBEAT_AGE, time.monotonic())

    async def _sample_slowly(self) -> None:
        # Not in a thread: a process with a second thread, even an idle one, is slower.
        self.recorder.set(table.OPEN_FDS, count_fds())
        live = await self.live_grants()
        if live is not None:
            self.recorder.set(table.GRANTS_LIVE, live)


def count_fds() -> int:
    """Return how many file descriptors this process has open; 0 where that cannot be told.

    A few milliseconds for 20,000 of them.
    """
    for folder in _FOLDERS_OF_FDS:
        if Path(folder).is_dir():
            # One of them is that of the listing.
            with os.scandir(folder) as entries:
                return sum(1 for _ in entries) - 1
    return 0
