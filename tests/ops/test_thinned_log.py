"""Thinned log lines."""

from deviceflow.ops.thinned_log import KINDS_PER_WINDOW, WINDOW_S, ThinnedLog
from tests.stage.clock import Clock

OTHERS = ("(others)",)


def lines(log: ThinnedLog, name: str, count: int) -> list[int]:
    """The numbers that `count` events of a kind would be logged with."""
    noted = (log.note((name,)) for _ in range(count))
    return [line[1] for line in noted if line is not None]


def test_a_line_at_first_and_each_time_that_there_are_ten_times_as_many() -> None:
    log = ThinnedLog(OTHERS, Clock(0.0))
    assert lines(log, "a", 1_500) == [1, 10, 100, 1_000]
    assert lines(log, "b", 5) == [1], "each kind for itself"


def test_a_minute_begins_anew() -> None:
    clock = Clock(0.0)
    log = ThinnedLog(OTHERS, clock)
    assert lines(log, "a", 5) == [1]
    clock.advance(WINDOW_S)
    assert lines(log, "a", 5) == [1]


def test_too_many_kinds_are_one() -> None:
    log = ThinnedLog(OTHERS, Clock(0.0))
    noted = [log.note((str(number),)) for number in range(KINDS_PER_WINDOW + 10)]
    assert noted[KINDS_PER_WINDOW] == (OTHERS, 1)
    assert noted[-1] == (OTHERS, 10)
