"""When what happens: one event for each device, in ticks."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]
Times = NDArray[np.float64]

NO_DEVICES: Indices = np.empty(0, dtype=np.int64)
PAGE = 50
"""How many ticks a page has. What is further ahead is sorted into its tick when its page begins:
sorted one by one, a million devices would be in thousands of small groups."""


class Calendar:
    """The next event of each device. Events of one tick come out together, in their order.

    `tick_s`: how long a tick is. An event that belongs to the tick that is being worked on, or to
    an earlier one, comes in the next tick, with its own time.
    """

    def __init__(self, devices: int, tick_s: float) -> None:
        self.at: Times = np.zeros(devices)
        self._tick_s = tick_s
        self._now = -1
        self._ticks: defaultdict[int, list[Indices]] = defaultdict(list)
        self._pages: defaultdict[int, list[Indices]] = defaultdict(list)

    def plan(self, devices: Indices, at: Times) -> None:
        """Plan the next event of `devices`, at the times `at`, s."""
        self.at[devices] = at
        ticks = self._ticks_of(devices)
        is_near = ticks < (self._now // PAGE + 1) * PAGE
        _sort_into(self._ticks, devices[is_near], ticks[is_near])
        _sort_into(self._pages, devices[~is_near], ticks[~is_near] // PAGE)

    def run(self, seconds: float) -> Iterator[Indices]:
        """Give the devices of each tick, the earliest first, until `seconds` have passed."""
        for tick in range(self._now + 1, round(seconds / self._tick_s)):
            if not tick % PAGE:
                page = np.concatenate(self._pages.pop(tick // PAGE, [NO_DEVICES]))
                _sort_into(self._ticks, page, self._ticks_of(page))
            self._now = tick
            due = np.concatenate(self._ticks.pop(tick, [NO_DEVICES]))
            yield due[np.argsort(self.at[due], kind="stable")]

    def _ticks_of(self, devices: Indices) -> Indices:
        ticks: Indices = (self.at[devices] / self._tick_s).astype(np.int64)
        return np.maximum(ticks, self._now + 1)


def _sort_into(places: defaultdict[int, list[Indices]], devices: Indices, numbers: Indices) -> None:
    """Add devices to the places with these numbers."""
    if not len(devices):
        return
    order = np.argsort(numbers, kind="stable")
    found, starts = np.unique(numbers[order], return_index=True)
    for number, group in zip(found, np.split(devices[order], starts[1:]), strict=True):
        places[int(number)].append(group)
