"""The benchmark of the capacity model: its sums, its verdicts, and the file of costs."""

from pathlib import Path

import pytest

from benchmarks.capacity.bench import FleetUsage, verdict, waking_us
from benchmarks.capacity.document import LOAD, OPERATIONS, costs_text, operation_tables
from benchmarks.capacity.journey import Measured
from benchmarks.capacity.pace import gossip_costs
from benchmarks.capacity.page import page_as_of_now
from benchmarks.capacity.proxy import handshake_bytes
from benchmarks.capacity.small_fleet import predicted
from benchmarks.certificate import make_certificate
from benchmarks.meter import Usage
from benchmarks.processes import BenchmarkError
from benchmarks.results import Result
from deviceflow.capacity.costs import read
from deviceflow.capacity.work import spent_waking
from deviceflow.fleet.result import Machine

IDLE = Usage(1, 4_000, 30, 1_000, 6, 300, 0)
START = Measured(Usage(0.001, 500, 0, 100, 8, 480, 400), 860, wakes=4)
POLL = Measured(Usage(0.0001, 14, 0, 0.2, 0.003, 1, 0), 770, wakes=1)


def test_a_fleet_should_use_what_its_operations_use() -> None:
    found = {"start": START, "poll": POLL}
    total = predicted({"start": 10, "poll": 100}, found, IDLE, 5, wake_us=0)
    assert total.server_us == pytest.approx(10 * 500 + 100 * 14 + 5 * 4_000)
    assert total.commands == pytest.approx(10 * 8 + 100 * 0.003 + 5 * 6)


def test_a_fleet_that_leaves_its_worker_idle_wakes_it_up_for_nearly_everything() -> None:
    found = {"start": START, "poll": POLL}
    awake, waking = (
        predicted({"start": 10, "poll": 100}, found, IDLE, 5, wake_us).server_us
        for wake_us in (0, 50)
    )
    assert 0.98 * 140 * 50 < waking - awake < 140 * 50


def test_a_fleet_that_keeps_its_worker_busy_wakes_it_up_seldom() -> None:
    found = {"poll": POLL}
    awake, waking = (
        predicted({"poll": 68_000}, found, IDLE, 1, wake_us).server_us for wake_us in (0, 50)
    )
    assert 0 < waking - awake < 0.02 * 68_000 * 50


def test_the_cost_of_waking_up_is_found_in_what_polls_cost_at_a_rate() -> None:
    needed, waking = 3_000 * 15e-6, 3_000 * 40e-6
    poll_us = (needed + spent_waking(needed, waking)) / 3_000 * 1e6
    assert waking_us(3_000, 15, poll_us) == pytest.approx(40)


def test_operations_between_others_cost_more() -> None:
    counts, used = {"start": 10}, Usage(5, 5 * 4_000 + 10 * 750, 0, 0, 5 * 6 + 80, 0, 0)
    fleet = FleetUsage(counts, used)
    assert fleet.mixed({"start": START}, IDLE, wake_us=0) == pytest.approx(1.5)
    ratios = fleet.ratios({"start": START.times(1.5)}, IDLE, wake_us=0)
    assert list(ratios.values()) == [pytest.approx(1)] * 2


def test_what_is_left_of_an_operation_if_the_worker_need_not_wake_up() -> None:
    used = Measured(Usage(0.01, 900, 5, 100, 8, 480, 400), 860, wakes=5)
    assert used.awake(40).usage.server_us == 900 - 5 * 40
    assert used.awake(40).wakes == 5


@pytest.mark.parametrize(
    ("ratios", "reached"), [([0.7, 1.0, 1.1], "yes"), ([0.7, 0.79], "no"), ([1.21], "no")]
)
def test_a_verdict_is_about_the_median(ratios: list[float], reached: str) -> None:
    assert verdict("CPU per poll", ratios)[3] == reached


def test_the_file_of_costs_is_read_again(tmp_path: Path) -> None:
    """Chance leaves fractions of commands to polls; the file says that there are none."""
    found = {name: POLL if "poll" in name else START for name in OPERATIONS}
    proxy = read().proxy
    tables = operation_tables(found) | {
        "proxy": {"kept_us": 30.0, "full_bytes": proxy.full_bytes},
        "memory": {"heard": 145.0},
    }
    machine = Machine(cpu="a processor", cores=2, memory_gb=8.0, system="Linux", versions={})
    result = Result("capacity", "2026-01-01", 1.0, machine, {LOAD: 3}, [], {})
    path = tmp_path / "costs.toml"
    path.write_text(costs_text(tables, {"grant": 291.4}, result), encoding="utf-8")
    costs = read(path)
    assert costs.machine == "a processor, 2 cores, 8 GB, Linux, with a load average of 3"
    assert costs.operations.poll.server_us == 14
    assert costs.operations.poll.store_commands == 0
    assert costs.operations.start.store_commands == 8
    assert costs.operations.start.source == "python -m benchmarks capacity, 2026-01-01"
    assert costs.proxy.kept_us == 30
    assert (costs.memory.heard, costs.memory.grant) == (145, 291)
    assert costs.memory.slot == read().memory.slot


def test_hosts_tell_twelve_bytes_of_a_poll() -> None:
    costs = gossip_costs(polled=500)
    assert costs["report_bytes"] == pytest.approx(12, rel=0.01)
    assert costs["told_us"] > 0 < costs["heard_us"]


def test_a_resumed_handshake_has_fewer_bytes(tmp_path: Path) -> None:
    make_certificate(tmp_path)
    full, resumed = handshake_bytes(tmp_path)
    assert full > resumed > 500


def test_a_page_without_its_marks_is_refused() -> None:
    with pytest.raises(BenchmarkError, match="needs the marks"):
        page_as_of_now("# Capacity\n")
