"""When what happens: one event for each device, in ticks."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]
Times = NDArray[np.float64]

NO_DEVICES: Indices = np.empty(0, dtype=np.int64)


class Calendar:
    """The next event of each device. Events of one tick come out together, in their order.

    `tick_s`: how long a tick is. An event that belongs to the tick that is being worked on, or to
    an earlier one, comes in the next tick, with its own time.
    """

    def __init__(self, devices: int, tick_s: float) -> None:
        self.at: Times = np.zeros(devices)
        self._tick_s = tick_s
        self._now = -1
        self._days: defaultdict[int, list[Indices]] = defaultdict(list)

    def plan(self, devices: Indices, at: Times) -> None:
        """Plan the next event of `devices`, at the times `at`, s."""
        if not len(devices):
            return
        self.at[devices] = at
        ticks = np.maximum((at / self._tick_s).astype(np.int64), self._now + 1)
        order = np.argsort(ticks, kind="stable")
        days, starts = np.unique(ticks[order], return_index=True)
        for day, group in zip(days, np.split(devices[order], starts[1:]), strict=True):
            self._days[int(day)].append(group)

    def run(self, seconds: float) -> Iterator[Indices]:
        """Give the devices of each tick, the earliest first, until `seconds` have passed."""
        for tick in range(self._now + 1, round(seconds / self._tick_s)):
            self._now = tick
            due = np.concatenate(self._days.pop(tick, [NO_DEVICES]))
            yield due[np.argsort(self.at[due], kind="stable")]
