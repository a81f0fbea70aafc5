"""How often the devices of a worker are asked to poll."""

from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from deviceflow.core.load_interval import IntervalBounds
from deviceflow.core.pace import PaceTable
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.policy.interval_control import IntervalControl
from tests.stage.metrics import numbers

GRANT = 1
PENDING = "authorization_pending"
SLOWED = "deviceflow_load_slow_downs_total"


@dataclass
class LoadedWorker:
    """A worker whose time, work and polls the test decides."""

    longest: int = 30
    now: float = 100.0
    busy_s: float = 7.0
    recorder: Recorder = field(default_factory=Recorder.alone)
    pace: PaceTable = field(default_factory=lambda: PaceTable(memoryview(bytearray(8)), 60))

    def __post_init__(self) -> None:
        self.control = IntervalControl(
            bounds=IntervalBounds(5, self.longest),
            pace=self.pace,
            recorder=self.recorder,
            busy=lambda: self.busy_s,
            steady=lambda: self.now,
        )

    def work(
        self, seconds: int, busy: float, polls_per_s: int = 2000, outcome: str = PENDING
    ) -> None:
        for _ in range(seconds):
            self.now += 1
            self.busy_s += busy
            self.recorder.count(table.POLLS, outcome, "lane", by=polls_per_s)
            self.control.step()

    def poll(self, after_s: float) -> int:
        return self.pace.judge(GRANT, 0, int((self.now + after_s) * 1000), 5)


def test_without_load_each_grant_has_its_own_interval() -> None:
    worker = LoadedWorker()
    worker.work(60, 0.7)
    assert [worker.control.of_start(own) for own in (1, 5, 10)] == [1, 5, 10]
    assert [worker.poll(0), worker.poll(5)] == [0, 0]


def test_a_busy_worker_asks_for_fewer_polls_and_comes_back() -> None:
    worker = LoadedWorker()
    with capture_logs() as logs:
        worker.work(90, 1.0)
        assert worker.control.now.seconds == 24
        assert {worker.control.of_start(5) for _ in range(300)} == set(range(24, 31))
        assert worker.control.of_start(60) == 60
        assert [worker.poll(0), worker.poll(5), worker.poll(15)] == [0, 10, 15]
        worker.work(120, 0.2)
    assert worker.control.of_start(5) == 5
    events = [(entry["event"], entry["log_level"]) for entry in logs]
    assert events == [("interval.longer", "warning"), ("interval.usual", "info")]


def test_what_was_slowed_is_counted_once() -> None:
    worker = LoadedWorker()
    worker.work(90, 1.0)
    assert [worker.poll(0), worker.poll(5)] == [0, 10]
    worker.control.count_slowed()
    worker.control.count_slowed()
    assert numbers(worker.recorder)[SLOWED] == 1


def test_few_polls_are_not_slowed() -> None:
    """A small installation on a machine that does other things."""
    worker = LoadedWorker()
    worker.work(90, 1.0, polls_per_s=199)
    assert worker.control.of_start(5) == 5


@pytest.mark.parametrize("outcome", ["slow_down", "invalid_grant"])
def test_a_flood_of_other_polls_slows_no_honest_device(outcome: str) -> None:
    worker = LoadedWorker()
    worker.work(90, 1.0, 50_000, outcome)
    assert worker.control.of_start(5) == 5


def test_polls_that_were_slowed_are_polls_in_time() -> None:
    """They are counted now and then, and the load is followed more often."""
    worker = LoadedWorker()
    for _ in range(90):
        worker.pace.slowed_for_load += 2000
        worker.work(1, 1.0, 0)
        worker.control.count_slowed()
    assert worker.control.now.seconds == 24


def test_a_busy_clock_that_goes_back_and_forth_is_no_load() -> None:
    """It cannot tell of the time of waiting while there is no free descriptor."""
    worker = LoadedWorker()
    worker.work(10, 0.1)
    for waited in (-7.0, 7.0):
        worker.busy_s += waited
        worker.work(1, 0.1)
    assert worker.control.of_start(5) == 5
    assert 0 <= worker.control.now.busy < 0.5
    assert worker.recorder.read(table.WORKER_BUSY) == pytest.approx(2)


def test_it_is_off_without_a_longest_interval() -> None:
    worker = LoadedWorker(longest=0)
    worker.work(90, 1.0)
    assert worker.control.of_start(5) == 5
    assert [worker.poll(0), worker.poll(5)] == [0, 0]


def test_a_step_without_time_changes_nothing() -> None:
    worker = LoadedWorker()
    worker.work(90, 1.0)
    before = worker.control.now
    worker.control.step()
    assert worker.control.now == before
