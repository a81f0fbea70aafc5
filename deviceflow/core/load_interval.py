"""The load interval: how seldom devices should poll while a worker is busy (RFC 8628 3.2, 3.5).

It is the time between two polls of a grant, in s, that a worker asks for on average. While it is
the shortest that the settings allow, every grant has its own interval. The rules:

- It grows while the worker is busy for BUSY of its time or more. It grows by 5 s in the time of
  one interval. The devices cannot follow faster: a device hears of it at its next poll, and adds
  5 s then.
- It grows only where polls in time are a part of the load: where there would be MIN_POLLS_PER_S or
  more at the shortest interval. Other work, floods of other polls included, does not get less if
  devices poll less.
- It shrinks, by 1 s in SHRINK_S, while the worker is busy for RELAXED of its time or less, or has
  few polls. In between, it stays.
- A new grant has an interval that is drawn from the load interval up to SPREAD times that. Devices
  that come back in the same second are apart after a few polls.
- A pending grant gets `slow_down` for a poll in time if its interval is shorter than the load
  interval by more than its own share of 5 s. The shares are even, so the mean of all intervals
  follows the load interval, and no wave of devices changes at once. This ends with the grant: a
  device never gets a shorter interval again.
- A grant that polls as seldom as that anyway gets no `slow_down`, nor does its first poll.
- No device is asked for more than the longest interval of the settings.

Why is RELAXED the half of BUSY? At 5 s, one `slow_down` for everybody doubles the intervals and
halves the polls. If that brought the load below RELAXED, the interval would go up and down for
ever.
"""

from math import ceil, exp
from typing import NamedTuple

SLOW_DOWN_S = 5
"""RFC 8628 3.5: the interval MUST be increased by 5 seconds."""

BUSY = 0.8
RELAXED = BUSY / 2
"""Parts of a worker's time in which it has something to do."""

MIN_POLLS_PER_S = 200
"""Of a whole core, these take 0.3 to 1 % by the lane, and about 4 % by the ordinary path."""

SHRINK_S = 5.0
SMOOTH_S = 2.0
"""How far back the measured load counts, in s: a garbage collection or a fork is no load."""

SPREAD = 1.25

_SHARES = 256
_SHARE_AT = 16


class IntervalBounds(NamedTuple):
    """Where the load interval may be, in s. `shortest`: that of the settings without load."""

    shortest: int
    longest: int

    @property
    def highest(self) -> float:
        """The longest load interval: even the longest interval drawn from it is in the bounds."""
        return max(self.shortest, self.longest / SPREAD)


class MeasuredLoad(NamedTuple):
    """What a worker did in the last `elapsed_s` s. `busy`: a part of that time, 0 to 1.

    `polls_per_s`: polls of pending grants in time.
    """

    busy: float
    polls_per_s: float
    elapsed_s: float


class LoadInterval(NamedTuple):
    """The load interval, s, and the smoothed `busy` that it follows."""

    seconds: float
    busy: float = 0.0

    def next(self, measured: MeasuredLoad, bounds: IntervalBounds) -> "LoadInterval":
        """Return what follows from a measurement."""
        memory = exp(-measured.elapsed_s / SMOOTH_S)
        busy = memory * self.busy + (1 - memory) * measured.busy
        seconds = self.seconds
        # The number of polls if there were no load interval: so its growth does not end itself.
        has_polls = measured.polls_per_s * seconds >= MIN_POLLS_PER_S * bounds.shortest
        if busy >= BUSY and has_polls:
            seconds += SLOW_DOWN_S * min(1.0, measured.elapsed_s / seconds)
        elif busy <= RELAXED or not has_polls:
            seconds -= measured.elapsed_s / SHRINK_S
        return LoadInterval(min(max(seconds, bounds.shortest), bounds.highest), busy)

    def choices(self, own: int, bounds: IntervalBounds) -> range:
        """Return the intervals to draw from for a grant whose client has the interval `own`, s."""
        if self.seconds <= max(own, bounds.shortest):
            return range(own, own + 1)
        lowest = ceil(self.seconds)
        longest = max(lowest, min(int(self.seconds * SPREAD), bounds.longest))
        return range(lowest, longest + 1)


class Demand(NamedTuple):
    """What pending grants are asked for: a load interval in ms, 0 for none, and the longest, s."""

    interval_ms: int = 0
    longest: int = 0

    @classmethod
    def of(cls, interval: LoadInterval, bounds: IntervalBounds) -> "Demand":
        """Return what the load interval asks for."""
        asks = interval.seconds > bounds.shortest
        return cls(int(interval.seconds * 1000) if asks else 0, bounds.longest)

    def is_met_by(self, interval: int) -> bool:
        """Return whether no grant with this interval in force, s, is slowed."""
        return interval * 1000 >= self.interval_ms or interval + SLOW_DOWN_S > self.longest

    def slows(self, interval: int, grant_id: int) -> bool:
        """Return whether a grant with this interval in force, s, should poll less often."""
        # These are bits of the random nonce that the fingerprint of the pace table does not use.
        share = (grant_id >> _SHARE_AT) % _SHARES
        lead_ms = share * SLOW_DOWN_S * 1000 // _SHARES
        return not self.is_met_by(interval) and interval * 1000 + lead_ms < self.interval_ms
