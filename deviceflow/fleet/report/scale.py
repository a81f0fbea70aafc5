"""Scales: where a value is on an axis, from 0 to 1, and which values have a mark."""

import math
from collections.abc import Iterable
from typing import NamedTuple, Self

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_FEW_DECADES = 2
_TIME_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400)


class Scale(NamedTuple):
    """An axis from `low` to `high`: linear, or logarithmic (both are then above 0)."""

    low: float
    high: float
    is_log: bool = False

    @classmethod
    def linear(cls, values: Iterable[float], most: int = 5) -> Self:
        """Make an axis from 0 to a round number that has room for all values."""
        highest = max(values, default=0.0)
        step = _round_step((highest or 1.0) / most)
        return cls(0.0, step * math.ceil(round((highest or 1.0) / step, 9)))

    @classmethod
    def logarithmic(cls, values: Iterable[float]) -> Self:
        """Make an axis of whole decades that has room for all values above 0."""
        found = [value for value in values if value > 0] or [1.0]
        low = math.floor(math.log10(min(found)))
        high = math.ceil(math.log10(max(found)))
        return cls(10.0**low, 10.0 ** max(high, low + 1), is_log=True)

    def place(self, value: float) -> float:
        """Return where `value` is, 0 at the low end and 1 at the high end."""
        if self.is_log:
            value = max(value, self.low)
            return math.log10(value / self.low) / math.log10(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self, most: int = 5) -> list[float]:
        """Return at most `most` + 1 round values on the axis."""
        if self.is_log:
            return self._decades(most)
        step = _round_step((self.high - self.low) / most)
        first = math.ceil(round(self.low / step, 9))
        last = math.floor(round(self.high / step, 9))
        return [place * step for place in range(first, last + 1)]

    def _decades(self, most: int) -> list[float]:
        low, high = round(math.log10(self.low)), round(math.log10(self.high))
        if high - low <= _FEW_DECADES:
            between = (factor * 10.0**n for n in range(low, high) for factor in (1, 2, 5))
            found = [*between, self.high]
            return found if len(found) <= most + 1 else found[::3]
        every = math.ceil((high - low) / most)
        return [10.0**n for n in range(low, high + 1, every)]


def time_ticks(seconds: float, most: int = 6) -> list[float]:
    """Return round times from 0 to `seconds`, at most `most` + 1, unless the run takes weeks."""
    step = next((step for step in _TIME_STEPS if seconds / step <= most), _TIME_STEPS[-1])
    return [float(at) for at in range(0, math.floor(seconds) + 1, step)]


def _round_step(least: float) -> float:
    """Return the smallest of 1, 2, 2.5 and 5 times a power of ten that is at least `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * step for step in _STEPS if power * step >= least * (1 - 1e-9))
