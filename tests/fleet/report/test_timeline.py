"""Long runs: what a group of seconds keeps of them."""

from operator import attrgetter

from deviceflow.fleet.report.timeline import Timeline
from deviceflow.fleet.result import Second

SECONDS = [
    Second(at_s=float(at), devices=at, starts=10, poll_p99_ms=500.0 if at == 3 else None)
    for at in range(10)
]


def test_the_worst_of_a_group_stays() -> None:
    line = Timeline.of(SECONDS, most=4)
    assert line.times == [0, 3, 6, 9]
    assert line.worst(attrgetter("poll_p99_ms")) == [None, 500, None, None]
    assert line.last(attrgetter("devices")) == [2, 5, 8, 9]
    assert line.mean(attrgetter("starts")) == [10, 10, 10, 10]


def test_a_short_run_is_as_it_was() -> None:
    assert Timeline.of(SECONDS, most=10).times == list(range(10))
    assert Timeline.of([], most=10).groups == []
