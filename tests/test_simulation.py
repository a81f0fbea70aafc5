"""The simulation of very many devices: its queue, its calendar, and small fleets."""

from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmarks import powercut
from benchmarks.simulation.calendar import Calendar
from benchmarks.simulation.power_cut import Habits, PowerCut, Second
from benchmarks.simulation.station import Station
from benchmarks.simulation.workers import Pace, Workers, doubled

DEVICES = 2_000
CORES = 0.008
"""As many for each device as 4 for a million."""
FIXED, FOLLOWS = Pace("fixed"), Pace("follows", 30)


def course(pace: Pace, seconds: int, cores: float = CORES) -> list[Second]:
    habits = Habits(back_within_s=300)
    return PowerCut(DEVICES, cores, pace, habits=habits, tick_s=0.2).run(seconds)


def test_a_queue_answers_in_turn() -> None:
    station = Station(1.0)
    arrivals, work = np.array([0.0, 0.1, 5.0]), np.array([1.0, 1.0, 1.0])
    assert station.serve(arrivals, work).tolist() == [1.0, 2.0, 6.0]
    assert station.serve(np.array([5.5]), np.array([2.0])).tolist() == [8.0]
    assert station.wait_s(7.0) == 1.0
    assert station.busy_s(7.0) == 4.0
    assert station.serve(np.empty(0), np.empty(0)).tolist() == []


def test_more_cores_answer_faster() -> None:
    assert Station(4.0).serve(np.array([0.0]), np.array([1.0])).tolist() == [0.25]


def test_workers_refuse_starts_that_would_wait_and_ask_for_a_longer_interval() -> None:
    workers = Workers(1.0, FOLLOWS)
    assert not workers.refuses_starts(0.0)
    polls = np.ones(400, dtype=np.bool_)
    busy = set()
    for second in range(16):
        workers.serve(np.full(400, float(second)), np.full(400, 0.005), polls)
        busy.add(round(workers.end_second(second + 1.0), 6))
    assert busy == {1.0}
    assert [workers.refuses_starts(at) for at in (16.0, 31.5)] == [True, False]
    asks = workers.interval_s
    assert FOLLOWS.shortest < asks <= FOLLOWS.longest
    assert workers.slows(np.array([5.0, asks, 26.0]), np.zeros(3)).tolist() == [True, False, False]
    assert workers.slows(np.array([5.0]), np.ones(1)).tolist() == [asks > 10.0]


def test_the_pause_of_devices_that_back_off_doubles_up_to_a_minute() -> None:
    pauses = doubled(np.array([0.0, 10.0, 40.0]), np.full(3, 5.0))
    assert pauses.tolist() == [5.0, 20.0, 60.0]


def test_events_come_in_their_order() -> None:
    calendar = Calendar(4, 0.1)
    calendar.plan(np.array([0, 1, 2, 3]), np.array([0.35, 0.01, 0.31, 9.0]))
    days = [day.tolist() for day in calendar.run(0.5)]
    assert days == [[1], [], [], [2, 0], []]


def test_an_event_of_now_comes_in_the_next_tick() -> None:
    calendar = Calendar(1, 0.1)
    calendar.plan(np.array([0]), np.array([0.0]))
    seen = []
    for day in calendar.run(0.3):
        seen.append(day.tolist())
        calendar.plan(day, calendar.at[day] + 0.05)
    assert seen == [[0], [0], [0]]


def test_with_room_a_fleet_comes_back_at_its_interval() -> None:
    """Two cores in a hundred devices' place: nothing waits, and 5 s stay 5 s."""
    seconds = course(FOLLOWS, 60, cores=2.0)
    assert max(second.p99_s for second in seconds) < 0.01
    assert {second.interval_s for second in seconds} == {5.0}
    assert sum(second.timed_out for second in seconds) == 0
    started = 60 / 300 * DEVICES
    assert seconds[-1].pending + seconds[-1].done == pytest.approx(started, rel=0.2)


def test_a_fixed_interval_collapses_where_one_that_follows_does_not() -> None:
    fixed, follows = course(FIXED, 500), course(FOLLOWS, 500)
    assert sum(second.timed_out for second in follows) == 0
    assert max(second.p99_s for second in follows) < 2
    assert sum(second.timed_out for second in fixed) > 1000
    assert fixed[-1].p99_s == Habits().timeout_s
    assert follows[-1].done > 2 * fixed[-1].done
    assert follows[-1].interval_s < 24, "it comes back"


def test_a_seed_is_a_run() -> None:
    runs = [PowerCut(500, 0.01, FOLLOWS, seed=seed).run(20) for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


def test_the_figures_are_shown_and_drawn(tmp_path: Path) -> None:
    console = Console(width=130, record=True)
    powercut.run(console, tmp_path, devices=300, cores=0.01, seconds=10)
    text = console.export_text()
    assert "fixed interval" in text
    assert "follows the load" in text
    assert (tmp_path / "powercut.svg").read_text(encoding="utf-8").count("<svg") == 1
