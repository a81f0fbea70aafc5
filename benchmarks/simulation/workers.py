"""The workers that a fleet meets: one queue, and an interval that follows its load.

The rules of the interval are the real ones (`deviceflow/core/load_interval.py`). So is what a start
meets while starts wait: it is refused, and tried again later (docs/decisions/0033 and 0034).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulation.calendar import Times
from benchmarks.simulation.station import Station
from deviceflow.core.load_interval import SLOW_DOWN_S, IntervalBounds, LoadInterval, MeasuredLoad

LIFETIME_S = 600.0
START_WAITS_S = 1.0
"""A start that would wait longer for its worker is refused. Workers are a little more patient, and
count the wait for the store only (store/load.py, LONGEST_WAIT_S)."""

RETRY_AFTER_S = (15.0, 30.0)
"""Between which times the Retry-After of a refused start is."""

LONGEST_PAUSE_S = 60.0
REFUSAL_S = 172e-6
"""Server CPU of a start that is refused, in s of one core."""

Flags = NDArray[np.bool_]


class Pace(NamedTuple):
    """How the servers ask for polls. `longest`: 0 for a fixed interval."""

    name: str
    longest: int = 0
    is_spread: bool = True
    shortest: int = 5

    @property
    def bounds(self) -> IntervalBounds:
        """Where the load interval may be."""
        return IntervalBounds(self.shortest, self.longest)


class Workers:
    """The workers of all hosts. `cores` work on requests that count `weight` times each."""

    def __init__(self, cores: float, pace: Pace, weight: float = 1.0) -> None:
        self._cores, self._pace, self._weight = cores, pace, weight
        self._station = Station(cores / weight)
        self._load = LoadInterval(pace.shortest)
        self._polls = 0
        self._busy_s = 0.0

    @property
    def interval_s(self) -> float:
        """The interval that the load asks for."""
        return self._load.seconds

    def serve(self, arrivals: Times, work_s: Times, polls: Flags) -> Times:
        """Return when requests are answered. `work_s`: of one core; `polls`: which are polls."""
        self._polls += int(np.count_nonzero(polls))
        return self._station.serve(arrivals, work_s)

    def refuses_starts(self, now: float) -> bool:
        """Return whether a start that arrives now is refused."""
        return self._station.wait_s(now) >= START_WAITS_S

    def slows(self, interval: Times, share: Times) -> Flags:
        """Say which polls get slow_down: `Demand.slows` for many grants."""
        asked = self._load.seconds if self._load.seconds > self._pace.shortest else 0.0
        return (interval + SLOW_DOWN_S * share < asked) & (
            interval + SLOW_DOWN_S <= self._pace.longest
        )

    def first_intervals(self, count: int, chance: np.random.Generator) -> Times:
        """Draw the intervals of so many new grants."""
        choices = np.array(self._load.choices(self._pace.shortest, self._pace.bounds))
        if not self._pace.is_spread:
            choices = choices[:1]
        drawn: Times = chance.choice(choices, count)
        return drawn

    def end_second(self, at: float) -> float:
        """Measure, as a worker does each second. Return which part of it they were busy."""
        busy_s = self._station.busy_s(at)
        busy, self._busy_s = min(1.0, busy_s - self._busy_s), busy_s
        per_worker = self._polls * self._weight / self._cores
        self._load = self._load.next(MeasuredLoad(busy, per_worker, 1.0), self._pace.bounds)
        self._polls = 0
        return busy


def doubled(pause: Times, interval: Times) -> Times:
    """Return the pause of devices that back off, after one more failure (RFC 8628 3.5)."""
    longer: Times = np.minimum(np.maximum(2 * pause, interval), LONGEST_PAUSE_S)
    return longer
