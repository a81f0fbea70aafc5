"""The load interval: in bounds, steady, and back again; and what it asks of grants."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deviceflow.core.device_code import NONCE_BITS
from deviceflow.core.load_interval import (
    BUSY,
    MIN_POLLS_PER_S,
    RELAXED,
    SHRINK_S,
    SLOW_DOWN_S,
    Demand,
    IntervalBounds,
    LoadInterval,
    MeasuredLoad,
)

BOUNDS = IntervalBounds(5, 30)
HIGHEST = BOUNDS.highest

parts = st.floats(0, 1)
bounds = st.builds(IntervalBounds, st.integers(1, 60), st.integers(0, 300))
loads = st.builds(MeasuredLoad, parts, st.floats(0, 1e5), st.floats(0.01, 60))
grant_ids = st.integers(0, (1 << 64) - 1)


def busy(part: float = 1.0, polls_per_s: float = 10_000.0) -> MeasuredLoad:
    """Return what a busy worker measures in a second."""
    return MeasuredLoad(part, polls_per_s, 1.0)


def follow(interval: LoadInterval, load: MeasuredLoad, seconds: int) -> LoadInterval:
    for _ in range(seconds):
        interval = interval.next(load, BOUNDS)
    return interval


# The load interval


@given(bounds, st.lists(loads, max_size=30))
def test_it_stays_in_its_bounds(bounds: IntervalBounds, measured: list[MeasuredLoad]) -> None:
    interval = LoadInterval(bounds.shortest)
    for load in measured:
        interval = interval.next(load, bounds)
        assert bounds.shortest <= interval.seconds <= max(bounds.shortest, bounds.longest)


@given(st.floats(5, 24), parts, loads, parts)
def test_more_load_never_makes_it_shorter(
    seconds: float, smoothed: float, load: MeasuredLoad, other: float
) -> None:
    now = LoadInterval(seconds, smoothed)
    less, more = sorted((load.busy, other))
    after_less = now.next(load._replace(busy=less), BOUNDS)
    after_more = now.next(load._replace(busy=more), BOUNDS)
    assert after_less.seconds <= after_more.seconds


@given(st.floats(5, 24), parts, loads)
def test_it_grows_no_faster_than_devices_can_follow(
    seconds: float, smoothed: float, load: MeasuredLoad
) -> None:
    """A device adds 5 s at a poll, once in an interval."""
    after = LoadInterval(seconds, smoothed).next(load, BOUNDS)
    followed = SLOW_DOWN_S * min(1.0, load.elapsed_s / seconds)
    assert after.seconds <= max(5.0, seconds + followed + 1e-9)


@given(st.floats(5, 24), parts)
def test_it_comes_back(seconds: float, smoothed: float) -> None:
    interval = LoadInterval(seconds, smoothed)
    in_time = int((HIGHEST - 5) * SHRINK_S) + 5
    assert follow(interval, busy(0.1), in_time).seconds == 5


def test_it_is_at_its_longest_in_a_minute() -> None:
    assert follow(LoadInterval(5), busy(), 60).seconds == HIGHEST


@given(st.floats(5, 24), st.floats(RELAXED + 0.01, BUSY - 0.01))
def test_it_stays_while_the_load_is_right(seconds: float, part: float) -> None:
    interval = LoadInterval(seconds, part)
    assert follow(interval, busy(part), 100).seconds == seconds


def test_a_short_burst_changes_nothing() -> None:
    """A garbage collection, a fork, a page of an operator."""
    calm = follow(LoadInterval(5), busy(0.3), 10)
    assert follow(calm, busy(), 1).seconds == 5


@given(st.floats(0, 1), st.floats(0, MIN_POLLS_PER_S - 1))
def test_a_small_installation_keeps_its_interval(part: float, polls_per_s: float) -> None:
    """Whatever keeps the worker busy, it is not the polls."""
    assert follow(LoadInterval(5), busy(part, polls_per_s), 100).seconds == 5


def test_it_does_not_end_because_it_works() -> None:
    """Polls become fewer while it grows; what counts is how many there would be without it."""
    assert follow(LoadInterval(20), busy(1.0, MIN_POLLS_PER_S / 3), 5).seconds > 20


@given(st.integers(0, 5))
def test_without_room_it_is_off(longest: int) -> None:
    bounds = IntervalBounds(5, longest)
    interval = LoadInterval(5)
    for _ in range(100):
        interval = interval.next(busy(), bounds)
    assert interval.seconds == 5
    assert list(interval.choices(5, bounds)) == [5]
    assert Demand.of(interval, bounds).interval_ms == 0


@pytest.mark.parametrize("own", [1, 5, 30])
def test_a_longest_interval_below_two_steps_slows_no_grant_twice(own: int) -> None:
    """Some devices give up at the second slow_down."""
    bounds = IntervalBounds(own, own + 2 * SLOW_DOWN_S - 1)
    interval = LoadInterval(bounds.highest)
    demand = Demand.of(interval, bounds)
    for first in (own, *interval.choices(own, bounds)):
        assert demand.is_met_by(first + SLOW_DOWN_S)


@dataclass
class Fleet:
    """Devices that a worker answers: the mean of their intervals follows the load interval.

    `work`: the time that their polls take, in s: at an interval of `work` s they take all of it.
    `other`: the part of the time that other work takes. A grant lives for 600 s on average.
    """

    work: float
    other: float
    mean: float = 5.0
    interval: LoadInterval = field(default_factory=lambda: LoadInterval(5))
    seen: list[float] = field(default_factory=list)

    def run(self, seconds: int) -> None:
        """Let time pass, a second at a time."""
        for _ in range(seconds):
            part = min(1.0, self.other + self.work / self.mean)
            self.interval = self.interval.next(busy(part), BOUNDS)
            asked = self.interval.seconds
            self.mean += min(max(asked - self.mean, 0.0), SLOW_DOWN_S) / self.mean
            self.mean += min(asked - self.mean, 0.0) / 600
            self.seen.append(asked)

    def turns(self) -> int:
        """Count how often the load interval began to shrink after it had grown, or to grow."""
        steps = [after - before for before, after in pairwise(self.seen) if after != before]
        return sum(before * after < 0 for before, after in pairwise(steps))


@given(st.floats(0, 40), st.floats(0, 0.5))
@example(work=8.0, other=0.0)
@example(work=16.0, other=0.1)
def test_under_a_steady_load_it_settles(work: float, other: float) -> None:
    fleet = Fleet(work, other)
    fleet.run(1800)
    assert fleet.turns() <= 2
    settled = fleet.seen[-600:]
    assert max(settled) - min(settled) <= 1
    needed = work / (BUSY - other)
    assert settled[-1] >= min(needed, HIGHEST) - 0.5, "it is enough"


@given(st.floats(0, 40), st.floats(0, 40), st.floats(0, 0.5))
def test_after_a_change_of_the_load_it_settles_again(
    before: float, after: float, other: float
) -> None:
    fleet = Fleet(before, other)
    fleet.run(300)
    fleet.work = after
    fleet.run(3600)
    assert fleet.turns() <= 4


# New grants


@given(st.integers(1, 60), st.floats(1, 300), bounds)
def test_a_new_grant_gets_what_is_asked_or_its_own(
    own: int, seconds: float, bounds: IntervalBounds
) -> None:
    seconds = min(max(seconds, bounds.shortest), bounds.highest)
    choices = LoadInterval(seconds).choices(own, bounds)
    if seconds <= max(own, bounds.shortest):
        assert list(choices) == [own]
    else:
        assert own <= choices[0] <= choices[-1] <= bounds.longest
        assert choices[0] >= seconds, "it is not slowed at once"


def test_new_grants_are_spread() -> None:
    assert list(LoadInterval(8.0).choices(5, BOUNDS)) == [8, 9, 10]
    assert list(LoadInterval(24.0).choices(5, BOUNDS)) == [24, 25, 26, 27, 28, 29, 30]


# Pending grants


def settled(first: int, grant_id: int, demand: Demand) -> int:
    """Return the interval of a grant that has heard of the load interval as often as needed."""
    interval = first
    while demand.slows(interval, grant_id):
        interval += SLOW_DOWN_S
    return interval


@given(st.integers(1, 60), grant_ids, st.floats(1, 100), bounds)
def test_nobody_is_asked_for_more_than_the_longest(
    first: int, grant_id: int, seconds: float, bounds: IntervalBounds
) -> None:
    demand = Demand.of(LoadInterval(seconds), bounds)
    assert settled(first, grant_id, demand) <= max(first, bounds.longest)


@given(st.floats(5, 24), st.floats(5, 24), grant_ids)
def test_a_longer_load_interval_makes_no_interval_shorter(
    one: float, other: float, grant_id: int
) -> None:
    less, more = (
        settled(5, grant_id, Demand.of(LoadInterval(seconds), BOUNDS))
        for seconds in sorted((one, other))
    )
    assert less <= more


@given(st.floats(5.1, 24))
def test_the_mean_of_all_grants_follows(seconds: float) -> None:
    demand = Demand.of(LoadInterval(seconds), BOUNDS)
    intervals = [settled(5, share << 16, demand) for share in range(256)]
    assert abs(sum(intervals) / 256 - seconds) < 0.05
    assert max(intervals) - min(intervals) <= SLOW_DOWN_S


def test_a_part_of_the_grants_is_slowed_first() -> None:
    demand = Demand.of(LoadInterval(6.0), BOUNDS)
    slowed = Counter(demand.slows(5, share << 16) for share in range(256))
    assert slowed[True] == 52, "a fifth of them, on the way from 5 to 10 s"


def test_the_share_is_random() -> None:
    """It is taken from the nonce, not from the slot, which counts grants in their order."""
    demand = Demand.of(LoadInterval(7.5), BOUNDS)
    assert len({demand.slows(5, slot << NONCE_BITS | 1) for slot in range(1000)}) == 1
