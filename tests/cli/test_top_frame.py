"""A frame of `deviceflow top`."""

import time

import pytest
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import CollectorRegistry

from deviceflow.cli.top_frame import CLIENTS_SHOWN, frame
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.page import MetricsPage
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.ops.metrics.snapshots import Difference, Snapshot

HOST = "10.0.0.1:8629"


def page(recorder: Recorder) -> str:
    registry = CollectorRegistry()
    registry.register(MetricsPage(recorder))
    return generate_latest(registry).decode()


@pytest.fixture
def recorder() -> Recorder:
    recorder = Recorder.alone()
    recorder.set(table.HEARTBEAT_AGE, time.monotonic())
    recorder.set(table.STORE_REACHABLE, 1)
    recorder.set(table.STORE_WRITABLE, 1)
    recorder.set(table.GRANTS_LIVE, 1_500)
    recorder.set(table.GRANTS_DECIDED, 300)
    recorder.set(table.LOAD_INTERVAL, 5)
    recorder.set(table.USUAL_INTERVAL, 5)
    return recorder


def shown(recorder: Recorder, before: str, away: dict[str, str] | None = None) -> str:
    change = Difference(Snapshot.of(0.0, {HOST: before}), Snapshot.of(2.0, {HOST: page(recorder)}))
    return "\n".join(frame(change, away or {}))


def test_what_an_operator_looks_for(recorder: Recorder) -> None:
    before = page(recorder)
    recorder.count(table.POLLS, "authorization_pending", "lane", by=90)
    recorder.count(table.POLLS, "slow_down", "lane", by=10)
    recorder.observe(table.APPROVAL_TO_TOKEN, 2)
    recorder.count_client(table.CLIENT_SLOW_DOWNS, "tv-app")
    text = shown(recorder, before)
    for expected in (
        "hosts 1   workers 1",
        "pending 1,200   live 1,500",
        "polls     50.0/s   lane 100.0%   slow_down 10.0%   interval 5 s   held",
        "authorization_pending 45.0/s   slow_down 5.0/s",
        "store     reachable   writable",
        HOST,
        "tv-app",
    ):
        assert expected in text
    assert "after approval p50 1.8 s" in text


def test_a_longer_interval_cannot_be_missed(recorder: Recorder) -> None:
    before = page(recorder)
    recorder.set(table.LOAD_INTERVAL, 5.4)
    assert "interval 5 s   " in shown(recorder, before)
    recorder.set(table.LOAD_INTERVAL, 12.3)
    assert "INTERVAL 12 S (usually 5)" in shown(recorder, before)


def test_a_store_that_is_away_or_refuses_cannot_be_missed(recorder: Recorder) -> None:
    before = page(recorder)
    recorder.set(table.STORE_WRITABLE, 0)
    recorder.count(table.STORE_ERRORS, "OOM", by=6)
    assert "REFUSES WRITES" in shown(recorder, before)
    assert "OOM 3.0/s" in shown(recorder, before)
    recorder.set(table.STORE_REACHABLE, 0)
    assert "AWAY" in shown(recorder, before)


def test_a_host_that_is_away_is_named(recorder: Recorder) -> None:
    text = shown(recorder, page(recorder), {"10.0.0.2:8629": "no answer"})
    assert "10.0.0.2:8629         away: no answer" in text


def test_only_the_busiest_clients_are_shown(recorder: Recorder) -> None:
    before = page(recorder)
    for number in range(20):
        for _ in range(number):
            recorder.count_client(table.CLIENT_TOKENS, f"client-{number}")
    lines = [line.split()[0] for line in shown(recorder, before).splitlines() if line]
    clients = [name for name in lines if name.startswith("client-")]
    assert clients == [f"client-{number}" for number in range(19, 19 - CLIENTS_SHOWN, -1)]


def test_lines_fit_into_a_terminal(recorder: Recorder) -> None:
    before = page(recorder)
    recorder.count_client(table.CLIENT_TOKENS, "x" * 100)
    assert max(map(len, shown(recorder, before).splitlines())) <= 100
