"""The benchmark of an overloaded worker: its plan, its command, and what it says of a run."""

from pathlib import Path

from benchmarks.overload import FIXED, Overload, draw, fleet_command, row
from benchmarks.servers import Competitor
from deviceflow.fleet.result import PollOutcome, Second

PLAN = Overload(devices=500, neighbours=2, seconds=40, starts_per_s=250)
POLLS = {PollOutcome.PENDING: 90, PollOutcome.SLOW_DOWN: 10, PollOutcome.ERROR: 7}
CALM = [Second(at_s=at, pending=500, polls=POLLS, poll_p99_ms=5.0) for at in range(17)]
BUSY = [Second(at_s=at, poll_p99_ms=float(at), errors={"time-out": 1}) for at in range(17, 58)]


def test_the_neighbours_come_when_all_devices_poll() -> None:
    assert (PLAN.ramp_s, PLAN.crowded_at_s, PLAN.ends_at_s) == (2, 17, 57)


def test_a_run_is_told_before_and_after() -> None:
    """What a device has no answer to is no answer, but an error."""
    assert row(FIXED, [*CALM, *BUSY], PLAN) == (FIXED, "500", "100", "5", "0", "52", "57", "41")


def test_the_fleet_knows_the_endpoints() -> None:
    command = fleet_command(Competitor("lane", 8628, ()), PLAN, "found.json")
    assert "http://127.0.0.1:8628/oauth2/token" in command


def test_a_run_is_drawn(tmp_path: Path) -> None:
    draw(tmp_path / "overload.svg", {FIXED: [*CALM, *BUSY]}, PLAN, "a title")
    assert "<svg" in (tmp_path / "overload.svg").read_text(encoding="utf-8")
