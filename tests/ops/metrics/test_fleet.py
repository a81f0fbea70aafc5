"""The figures of the fleet, from two looks at the metrics."""

import time

import pytest

from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.fleet import (
    STORE_IS_AWAY,
    STORE_IS_REACHABLE,
    STORE_REFUSES_WRITES,
    Fleet,
    fleet,
)
from deviceflow.ops.metrics.page import MetricsPage
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.ops.metrics.snapshots import Difference, Snapshot


@pytest.fixture
def recorder() -> Recorder:
    recorder = Recorder.alone()
    recorder.set(table.HEARTBEAT_AGE, time.monotonic())
    recorder.set(table.STORE_REACHABLE, 1)
    recorder.set(table.STORE_WRITABLE, 1)
    return recorder


def look(recorder: Recorder, at: float) -> Snapshot:
    return Snapshot.of_host(at, "here", MetricsPage(recorder).now())


def since(recorder: Recorder, before: Snapshot) -> Fleet:
    return fleet(Difference(before, look(recorder, before.at + 2)))


def test_rates_and_states(recorder: Recorder) -> None:
    before = look(recorder, 100)
    recorder.set(table.GRANTS_LIVE, 12)
    recorder.set(table.GRANTS_DECIDED, 5)
    recorder.set(table.HELD_POLLS, 3)
    recorder.set(table.LOAD_INTERVAL, 7.5)
    recorder.set(table.USUAL_INTERVAL, 5)
    for outcome, number in (("authorization_pending", 6), ("slow_down", 2)):
        recorder.count(table.POLLS, outcome, "lane", by=number)
    recorder.count(table.DECIDED, "approve", "changed", by=4)
    recorder.count(table.DECIDED, "approve", "claimed", by=9)
    now = since(recorder, before)
    assert (now.at, now.seconds) == (102, 2)
    assert (now.pending, now.live, now.held, now.workers) == (7, 12, 3, 1)
    assert (now.polls, now.slow_down_part, now.lane_part) == (4, 0.25, 1)
    assert now.polls_by_outcome == {"authorization_pending": 3, "slow_down": 1}
    assert (now.interval, now.usual_interval) == (7.5, 5)
    assert (now.approved, now.denied) == (2, 0)


def test_what_the_lane_has_counted_a_moment_ago_is_there(recorder: Recorder) -> None:
    before = look(recorder, 0)
    pending = next(iter(recorder.lane_polls))
    recorder.lane_polls[pending] += 10
    assert since(recorder, before).polls == 5


def test_without_polls_there_are_no_parts(recorder: Recorder) -> None:
    now = since(recorder, look(recorder, 0))
    assert (now.polls, now.slow_down_part, now.lane_part, now.polls_by_outcome) == (
        0,
        None,
        None,
        {},
    )


def test_the_store(recorder: Recorder) -> None:
    before = look(recorder, 0)
    assert since(recorder, before).store == STORE_IS_REACHABLE
    recorder.set(table.STORE_WRITABLE, 0)
    assert since(recorder, before).store == STORE_REFUSES_WRITES
    recorder.set(table.STORE_REACHABLE, 0)
    assert since(recorder, before).store == STORE_IS_AWAY
