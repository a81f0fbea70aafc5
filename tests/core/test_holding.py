"""How long a poll is held, and who decides that."""

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deviceflow.core.holding import MAX_HOLD_S, NO_HOLD, Hold, HoldRule
from deviceflow.core.load_interval import Demand
from deviceflow.core.pace import PaceTable

RULE = HoldRule(cap=20, hold_s=10)
GRANT = 1


@pytest.mark.parametrize(
    ("requested", "client_hold_s", "seconds"),
    [
        (None, None, 10),
        (None, 4, 4),
        (None, 0, 0),
        (None, 25, 20),
        (0, None, 0),
        (3, None, 3),
        (3, 0, 3),
        (99_999, 4, 20),
    ],
)
def test_what_the_device_asks_for_counts_before_what_the_operator_wants(
    requested: int | None, client_hold_s: int | None, seconds: int
) -> None:
    hold = RULE.of(requested, client_hold_s)
    assert hold == Hold(seconds, is_asked=requested is not None)


def test_off_by_default() -> None:
    assert HoldRule(cap=30).of(None, None) == NO_HOLD


def test_only_a_device_that_asked_learns_how_long_it_was_held() -> None:
    assert Hold(7, is_asked=True).preference == 7
    assert Hold(7, is_asked=False).preference == 0


@pytest.mark.parametrize(
    ("hold_s", "interval", "seconds"),
    [(3, 5, 3), (5, 5, 5), (7, 5, 5), (10, 5, 10), (14, 5, 10), (25, 7, 21), (25, 30, 25)],
)
def test_a_hold_that_nobody_asked_for_ends_on_the_beat(
    hold_s: int, interval: int, seconds: int
) -> None:
    assert Hold(hold_s, is_asked=False).for_interval(interval) == Hold(seconds, is_asked=False)


def test_a_device_that_asks_is_held_as_long_as_it_wants() -> None:
    assert Hold(7, is_asked=True).for_interval(5).seconds == 7


# Devices that obey, each in its own way. Times in ms: of the poll, of its answer; the interval.


def counts_from_the_answer(_: int, answered: int, interval: int) -> int:
    return answered + interval


def counts_from_the_request(polled: int, answered: int, interval: int) -> int:
    return max(answered, polled + interval)


def polls_on_a_beat(polled: int, answered: int, interval: int) -> int:
    """As with Go's time.Ticker: a tick that was missed is made up for, but never more than one."""
    has_missed_one = answered // interval > polled // interval
    return answered if has_missed_one else (answered // interval + 1) * interval


# Polls: is it held, ms there, ms back, load interval in s.
QUICK, HELD, SLOWED = (False, 0, 0, 0), (True, 0, 0, 0), (False, 0, 0, 50)


@given(
    device=st.sampled_from([counts_from_the_answer, counts_from_the_request, polls_on_a_beat]),
    hold_s=st.integers(0, MAX_HOLD_S),
    interval_s=st.integers(1, 30),
    polls=st.lists(
        st.tuples(st.booleans(), st.integers(0, 40), st.integers(0, 40), st.sampled_from([0, 50])),
        max_size=12,
    ),
)
@example(polls_on_a_beat, 25, 5, [QUICK, SLOWED, HELD, QUICK, QUICK])
def test_no_device_that_obeys_is_told_to_slow_down_for_its_pace(
    device: Callable[[int, int, int], int],
    hold_s: int,
    interval_s: int,
    polls: list[tuple[bool, int, int, int]],
) -> None:
    """Polls are held or not (there may be no room), take some ms, and are slowed for load or not.

    A device begins a new beat when it is told to slow down.
    """
    pace = PaceTable(memoryview(bytearray(8)), 60)
    interval, slowed, beat, polled = interval_s, 0, 0, interval_s * 1000
    for is_held, there, back, load_interval_s in polls:
        pace.ask_for(Demand(load_interval_s * 1000, 60))
        slow_down = pace.judge(GRANT, 0, beat + polled + there, interval_s)
        hold = Hold(hold_s if is_held else 0, is_asked=False)
        if slow_down:
            interval, slowed, hold = interval + 5, slowed + 1, NO_HOLD
            assert (slow_down, pace.slowed_for_load) == (interval, slowed)
        hold_ms = hold.for_interval(pace.interval_of(GRANT, 0, interval_s)).seconds * 1000
        answered = polled + there + hold_ms + back
        if slow_down:
            beat, polled, answered = beat + answered, 0, 0
        polled = device(polled, answered, interval * 1000)


def test_a_slot_of_another_grant_has_the_first_interval() -> None:
    pace = PaceTable(memoryview(bytearray(8)), 60)
    assert pace.interval_of(GRANT, 0, 5) == 5
    pace.judge(GRANT, 0, 1000, 10)
    assert [pace.interval_of(grant, 0, 5) for grant in (GRANT, 2)] == [10, 5]
