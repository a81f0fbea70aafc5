"""GET /metrics: the rows of all workers on one page."""

import re
import subprocess
import time
from shutil import which

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import CollectorRegistry

from deviceflow import __version__
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.memory import LAYOUT, MetricsMemory
from deviceflow.ops.metrics.metric import Metric
from deviceflow.ops.metrics.page import MetricsPage
from deviceflow.ops.metrics.recorder import Recorder
from tests.stage.metrics import numbers, read


class OtherWorker:
    """The row of a worker in another process, written as that one would."""

    def __init__(self, memory: MetricsMemory, number: int = 1) -> None:
        self._row = memory.row(number)
        self.set(table.WORKER_STARTS, 1)
        self.set(table.HEARTBEAT_AGE, time.monotonic())

    def set(self, metric: Metric, value: float) -> None:
        self._row[LAYOUT.starts[metric.name]] = round(value / metric.scale)


@pytest.fixture
def recorder() -> Recorder:
    recorder = Recorder(MetricsMemory(3))
    recorder.set(table.HEARTBEAT_AGE, time.monotonic())
    return recorder


async def fetch(recorder: Recorder, accept: str = "") -> tuple[str, str]:
    app = web.Application()
    app.add_routes(MetricsPage(recorder).routes())
    async with (
        TestClient(TestServer(app)) as client,
        client.get("/metrics", headers={"Accept": accept}) as response,
    ):
        return response.headers["Content-Type"], await response.text()


async def test_the_format_of_prometheus(recorder: Recorder) -> None:
    content_type, page = await fetch(recorder)
    assert content_type.startswith("text/plain; version=")
    assert "# TYPE deviceflow_polls_total counter" in page


async def test_a_version_that_is_no_number(recorder: Recorder) -> None:
    content_type, _ = await fetch(recorder, "application/openmetrics-text; version=x")
    assert content_type.startswith("text/plain; version=")


async def test_the_format_of_openmetrics(recorder: Recorder) -> None:
    content_type, page = await fetch(recorder, "application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert page.endswith("# EOF\n")


async def test_what_the_lane_has_just_counted_is_on_the_page(recorder: Recorder) -> None:
    answer = next(iter(recorder.lane_polls))
    recorder.lane_polls[answer] += 1
    _, page = await fetch(recorder)
    assert read(page)[f'deviceflow_polls_total{{outcome="{answer}",path="lane"}}'] == 1


def test_numbers_of_the_workers_are_added(recorder: Recorder) -> None:
    other = OtherWorker(recorder.memory)
    recorder.count(table.GRANTS_ISSUED)
    other.set(table.GRANTS_ISSUED, 4)
    recorder.set(table.HELD_POLLS, 2)
    other.set(table.HELD_POLLS, 3)
    page = numbers(recorder)
    assert page["deviceflow_grants_issued_total"] == 5
    assert page["deviceflow_held_polls"] == 5
    assert page["deviceflow_workers"] == 2


def test_some_have_a_series_for_each_worker(recorder: Recorder) -> None:
    OtherWorker(recorder.memory).set(table.OPEN_FDS, 40)
    recorder.set(table.OPEN_FDS, 30)
    page = numbers(recorder)
    assert page['deviceflow_open_fds{worker="0"}'] == 30
    assert page['deviceflow_open_fds{worker="1"}'] == 40


def test_the_counters_of_a_worker_that_ended_stay_and_its_states_go(recorder: Recorder) -> None:
    other = OtherWorker(recorder.memory)
    other.set(table.GRANTS_ISSUED, 4)
    other.set(table.HELD_POLLS, 3)
    other.set(table.HEARTBEAT_AGE, 0)
    page = numbers(recorder)
    assert page["deviceflow_grants_issued_total"] == 4
    assert page["deviceflow_held_polls"] == 0
    assert page["deviceflow_workers"] == 1
    assert 'deviceflow_open_fds{worker="1"}' not in page


def test_pending_grants_are_those_that_live_and_are_not_decided(recorder: Recorder) -> None:
    """Both are counts of all hosts, so the workers' numbers are not added."""
    other = OtherWorker(recorder.memory)
    recorder.set(table.GRANTS_LIVE, 100)
    other.set(table.GRANTS_LIVE, 90)
    recorder.set(table.GRANTS_DECIDED, 30)
    other.set(table.GRANTS_DECIDED, 30)
    page = numbers(recorder)
    assert page["deviceflow_grants_live"] == 100
    assert page["deviceflow_grants_pending"] == 70


def test_a_worker_that_hangs_grows_old(recorder: Recorder) -> None:
    OtherWorker(recorder.memory).set(table.HEARTBEAT_AGE, time.monotonic() - 50)
    page = numbers(recorder)
    assert page['deviceflow_worker_heartbeat_age_seconds{worker="1"}'] >= 50
    assert page['deviceflow_worker_heartbeat_age_seconds{worker="0"}'] < 50


def test_the_version(recorder: Recorder) -> None:
    page = numbers(recorder)
    (series,) = [name for name in page if name.startswith("deviceflow_build_info")]
    assert f'version="{__version__}"' in series


def test_every_metric_of_the_table_is_on_the_page_and_no_other(recorder: Recorder) -> None:
    registry = CollectorRegistry()
    registry.register(MetricsPage(recorder))
    page = generate_latest(registry).decode()
    assert re.findall(r"^# TYPE (\S+) ", page, re.MULTILINE) == [each.name for each in table.TABLE]


def test_promtool_finds_nothing_to_say(recorder: Recorder) -> None:
    """Names, units, help texts: https://prometheus.io/docs/practices/naming."""
    promtool = which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: the package prometheus)")
    for metric in table.TABLE:
        if metric.by_client:
            recorder.count_client(metric, "tv")
    registry = CollectorRegistry()
    registry.register(MetricsPage(recorder))
    checked = subprocess.run(
        [promtool, "check", "metrics"],
        input=generate_latest(registry),
        check=False,
        capture_output=True,
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
