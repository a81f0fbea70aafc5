"""The pauses, one rule at a time."""

import pytest

from deviceflow.device.schedule import Schedule


def schedule(interval: float = 5, max_wait: int = 0, jitter: float = 0) -> Schedule:
    return Schedule(interval, max_wait, lambda: jitter)


def test_an_interval_of_zero_is_one_second() -> None:
    assert schedule(0).before_first() == 1


def test_chance_only_makes_a_pause_longer() -> None:
    assert schedule(jitter=1).unanswered(0, None) == 12.5


@pytest.mark.parametrize("interval", [60, 600])
def test_a_long_interval_backs_off_too(interval: int) -> None:
    """RFC 8628 3.5: clients MUST reduce their polling frequency after a time-out."""
    assert schedule(interval).unanswered(0, None) == 2 * interval


def test_endless_failures_do_not_overflow() -> None:
    pacing = schedule()
    assert {pacing.unanswered(0, None) for _ in range(2000)} == {10, 20, 40, 60}


def test_a_hold_ends_with_the_grant() -> None:
    pacing = schedule(max_wait=30)
    assert [pacing.wait(left) for left in (100, 12.7, 0.9)] == [30, 12, 0]
