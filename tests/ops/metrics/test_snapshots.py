"""Pages read back: rates, quantiles, hosts that come and go."""

import time

import pytest
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import CollectorRegistry

from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.page import MetricsPage
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.ops.metrics.snapshots import Difference, Snapshot


def page(recorder: Recorder) -> str:
    recorder.set(table.HEARTBEAT_AGE, time.monotonic())
    registry = CollectorRegistry()
    registry.register(MetricsPage(recorder))
    return generate_latest(registry).decode()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder.alone()


def test_a_rate_is_what_was_added_in_a_second(recorder: Recorder) -> None:
    before = Snapshot.of(100.0, {"a": page(recorder)})
    recorder.count(table.POLLS, "slow_down", "lane", by=30)
    recorder.count(table.POLLS, "tokens", "ordinary", by=10)
    change = Difference(before, Snapshot.of(110.0, {"a": page(recorder)}))
    assert change.rate(table.POLLS) == 4
    assert change.rate(table.POLLS, path="lane") == 3
    assert change.rates(table.POLLS, "outcome") == {"slow_down": 3, "tokens": 1}


def test_hosts_are_added(recorder: Recorder) -> None:
    other = Recorder.alone()
    before = Snapshot.of(0.0, {"a": page(recorder), "b": page(other)})
    recorder.count(table.GRANTS_ISSUED, by=4)
    other.count(table.GRANTS_ISSUED, by=6)
    after = Snapshot.of(2.0, {"a": page(recorder), "b": page(other)})
    assert Difference(before, after).rate(table.GRANTS_ISSUED) == 5
    assert Difference(before, after).rate(table.GRANTS_ISSUED, host="b") == 3
    assert after.total(table.WORKERS) == 2


def test_a_host_that_was_started_again_or_was_away_makes_no_leap(recorder: Recorder) -> None:
    long_running = Recorder.alone()
    long_running.count(table.GRANTS_ISSUED, by=1_000)
    recorder.count(table.GRANTS_ISSUED, by=500)
    before = Snapshot.of(0.0, {"a": page(recorder)})
    restarted = Recorder.alone()
    restarted.count(table.GRANTS_ISSUED, by=7)
    after = Snapshot.of(1.0, {"a": page(restarted), "back": page(long_running)})
    assert Difference(before, after).rate(table.GRANTS_ISSUED) == 7


def test_quantiles_are_those_of_the_new_observations(recorder: Recorder) -> None:
    for _ in range(100):
        recorder.observe(table.PUSH_DELAY, 4)
    before = Snapshot.of(0.0, {"a": page(recorder)})
    for _ in range(90):
        recorder.observe(table.PUSH_DELAY, 0.002)
    for _ in range(10):
        recorder.observe(table.PUSH_DELAY, 0.2)
    change = Difference(before, Snapshot.of(1.0, {"a": page(recorder)}))
    half, most = change.quantile(table.PUSH_DELAY, 0.5), change.quantile(table.PUSH_DELAY, 0.95)
    assert half is not None
    assert most is not None
    assert 0.001 < half < 0.0025
    assert 0.1 < most < 0.25
    assert Difference(before, before).quantile(table.PUSH_DELAY, 0.5) is None


def test_beyond_all_limits_the_last_limit_is_the_answer(recorder: Recorder) -> None:
    before = Snapshot.of(0.0, {"a": page(recorder)})
    recorder.observe(table.PUSH_DELAY, 100)
    change = Difference(before, Snapshot.of(1.0, {"a": page(recorder)}))
    assert change.quantile(table.PUSH_DELAY, 0.5) == table.PUSH_DELAY.buckets[-1]


def test_what_is_no_page_is_refused() -> None:
    with pytest.raises(ValueError, match="a"):
        Snapshot.of(0.0, {"a": '{"status": "ok"}'})
