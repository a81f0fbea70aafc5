"""A fleet after an outage, simulated small, and beside a worker that was killed."""

from pathlib import Path

import pytest
from rich.console import Console

from benchmarks import outage
from benchmarks.results import FOLDER, read
from benchmarks.simulation.outage import Fault, Fleet, Moment, Outage, Work, recovered_s
from benchmarks.simulation.workers import Pace

WORK = Work(refresh=1e-3, poll=2e-5, start=1e-3)
FIXED = Pace("fixed")
FAULT = Fault("hosts", at=20, lasts=40)
STORE = Fault("store", at=20, lasts=40)


def course(
    fault: Fault, cores: float = 4.0, seconds: int = 130, cohorts: int = 300
) -> list[Moment]:
    fleet = Fleet(1e6, cores, waiting=0.1, refresh_s=600, cohorts=cohorts)
    return Outage(fleet, WORK, fault, FIXED).run(seconds)


def within(moments: list[Moment], begin: float, end: float) -> list[Moment]:
    return [moment for moment in moments if begin < moment.at <= end]


def test_before_the_outage_the_load_is_that_of_the_model() -> None:
    """900,000 refresh every 570 s on average, 100,000 poll every 5 s."""
    moments = within(course(FAULT, seconds=20), 5, 20)
    answered = sum(moment.answered for moment in moments) / len(moments)
    assert answered == pytest.approx(900_000 / 570 + 100_000 / 5.05, rel=0.15)
    assert all(moment.owed == 0 for moment in moments)


def test_while_hosts_are_away_nothing_is_answered() -> None:
    moments = course(FAULT, seconds=60)
    assert all(moment.answered == 0 for moment in within(moments, 21, 60))
    owed = [moment.owed for moment in within(moments, 21, 60)]
    assert owed == sorted(owed)
    assert owed[-1] > 0


def test_while_the_store_is_away_polls_are_answered() -> None:
    moments = within(course(STORE, seconds=60), 25, 60)
    answered = sum(moment.answered for moment in moments) / len(moments)
    assert answered == pytest.approx(100_000 / 5.05, rel=0.1)
    assert moments[-1].owed > 0


@pytest.mark.parametrize("fault", [FAULT, STORE])
def test_with_enough_cores_all_is_well_soon(fault: Fault) -> None:
    # Fewer cohorts would be so large that one is a queue by itself.
    moments = course(fault, seconds=160, cohorts=1_000)
    recovered = recovered_s(moments, fault, 1e6)
    assert recovered is not None
    # A device pauses for at most a minute, and half of it again.
    assert recovered <= 90


def test_with_too_few_cores_it_takes_longer_or_never_ends() -> None:
    poor, rich = (recovered_s(course(FAULT, cores), FAULT, 1e6) for cores in (2.0, 8.0))
    assert rich is not None
    assert poor is None or poor > rich


def test_an_interval_that_follows_the_load_sends_fewer_polls() -> None:
    follows = Pace("follows", 30)
    polling = Fleet(1e6, 4.0, waiting=1.0, cohorts=300)
    fixed, longer = (Outage(polling, WORK, FAULT, pace).run(130)[-1] for pace in (FIXED, follows))
    assert longer.interval_s > fixed.interval_s == 5
    assert longer.answered < fixed.answered


def test_recovery_is_counted_from_the_end_of_the_fault() -> None:
    bad = Moment(0, 1, 0, 5.0, 1, 5, 0)
    good = bad._replace(p99_s=0.1)
    moments = [bad._replace(at=70.0), good._replace(at=71.0)]
    assert recovered_s(moments, FAULT, 1e6) == 10
    assert recovered_s([good], FAULT, 1e6) == 0
    assert recovered_s([bad._replace(at=70.0)], FAULT, 1e6) is None


def test_the_queue_answers_like_a_worker_that_was_killed() -> None:
    """`coldstart` killed the only worker under 5,000 devices: all of them reconnected at once."""
    result, polling = read("coldstart", FOLDER), read("polling", FOLDER)
    assert result is not None
    assert polling is not None
    close = polling.section("close_1")
    assert close is not None
    poll_us = sorted(close.of("lane").server_us)[len(close.of("lane").server_us) // 2]
    first, last = (series.spread.median / 1000 for series in result.sections[0].series[:2])
    simulated = outage.reconnected_s(int(result.parameters["devices"]), first, 0.05, poll_us / 1e6)
    assert simulated == pytest.approx(last, rel=0.2)


def test_the_figures_are_shown_and_drawn(tmp_path: Path) -> None:
    console = Console(width=140, record=True)
    rows = outage.run(console, tmp_path, sizes=(1e5,), seconds=5, cohorts=200)
    assert len(rows) == 8
    assert "follows the load" in console.export_text()
    assert (tmp_path / "outage.svg").read_text(encoding="utf-8").count("<svg") == 1
    assert (tmp_path / "outage.md").read_text(encoding="utf-8").count("\n") == 10
