"""How often devices are asked to poll: the load interval of one worker (`core/load_interval.py`).

Each worker follows its own load. It is the measure of the queue in which a device's polls wait,
and nothing has to be agreed upon: what a grant was told is in its device code and in the pace
table, which all workers share.
"""

import asyncio
import secrets
from dataclasses import dataclass, field

import structlog

from deviceflow.core.clock import SteadyClock
from deviceflow.core.grant import PollAnswer
from deviceflow.core.load_interval import Demand, IntervalBounds, LoadInterval, MeasuredLoad
from deviceflow.core.pace import PaceTable
from deviceflow.ops.busy import BusyClock
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.recorder import Recorder

LOAD_STEP_S = 1.0

log = structlog.get_logger()


@dataclass(kw_only=True)
class IntervalControl:
    """Measures the load of a worker, and asks its devices for as few polls as it can answer."""

    bounds: IntervalBounds
    pace: PaceTable
    recorder: Recorder
    busy: BusyClock
    steady: SteadyClock

    now: LoadInterval = field(init=False)
    _is_longer: bool = field(default=False, init=False)
    _looked_at: float = field(init=False)
    _busy_s: float = field(init=False)
    _polls: float = field(init=False)

    def __post_init__(self) -> None:
        self.now = LoadInterval(self.bounds.shortest)
        self._note()

    def of_start(self, own: int) -> int:
        """Return the interval of a new grant, in s. `own`: its client's without any load."""
        choices = self.now.choices(own, self.bounds)
        # Without load there is one, and nothing to draw.
        return choices[0] if len(choices) == 1 else secrets.choice(choices)

    async def run(self) -> None:
        """Follow the load until cancelled."""
        self._note()
        while True:
            await asyncio.sleep(LOAD_STEP_S)
            self.step()

    def step(self) -> None:
        """Follow the load since the last step."""
        looked_at, busy_s, polls = self._looked_at, self._busy_s, self._polls
        self._note()
        elapsed_s = self._looked_at - looked_at
        if elapsed_s <= 0:
            return
        # The clock goes back, and forth again, if it cannot open the kernel's file for a while: at
        # the limit on descriptors, for example.
        busy_s = min(max(self._busy_s - busy_s, 0.0), elapsed_s)
        measured = MeasuredLoad(
            busy=busy_s / elapsed_s,
            polls_per_s=(self._polls - polls) / elapsed_s,
            elapsed_s=elapsed_s,
        )
        self.recorder.count(table.WORKER_BUSY, by=busy_s)
        self.now = self.now.next(measured, self.bounds)
        self.pace.ask_for(Demand.of(self.now, self.bounds))
        self._log_change(measured)

    def count_slowed(self) -> None:
        """Count the polls that were slowed since the last time."""
        self.recorder.count(table.LOAD_SLOW_DOWNS, by=self.pace.slowed_for_load)
        self.pace.slowed_for_load = 0

    def _note(self) -> None:
        self._looked_at = self.steady()
        self._busy_s = self.busy()
        self._polls = self._polls_in_time()

    def _polls_in_time(self) -> float:
        """Count the polls of devices that keep to their interval, up to now.

        Polls that are too fast, or whose codes are not good, are left out: a client that sends
        floods of them does not slow down when asked, and honest devices should not have to.
        """
        pending = (
            self.recorder.read(table.POLLS, PollAnswer.AUTHORIZATION_PENDING, path)
            for path in table.POLLS.labels["path"]
        )
        return sum(pending) + self.recorder.read(table.LOAD_SLOW_DOWNS) + self.pace.slowed_for_load

    def _log_change(self, measured: MeasuredLoad) -> None:
        """Log that the load interval is longer than usual, by a whole second, and its end."""
        extra = self.now.seconds - self.bounds.shortest
        if not self._is_longer and extra >= 1:
            self._is_longer = True
            log.warning(
                "interval.longer",
                busy=round(self.now.busy, 2),
                polls_per_s=round(measured.polls_per_s),
                consequence="devices are asked to poll less often",
            )
        elif self._is_longer and not extra:
            self._is_longer = False
            log.info("interval.usual", interval_s=self.bounds.shortest)
