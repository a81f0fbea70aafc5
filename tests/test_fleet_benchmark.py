"""The fleet as a benchmark: faults at planned times, on a stage that only takes notes."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import CliRunner

from benchmarks import fleet
from benchmarks.__main__ import main
from benchmarks.faults import SETTLE_S
from benchmarks.faults.kinds import FAULTS, Fault
from benchmarks.faults.stages import EMBEDDED, SENTINEL, Stage
from benchmarks.fleet.faulting import Faulting, PlannedFault, read_fault, store_for
from benchmarks.fleet.use import Use
from benchmarks.processes import BenchmarkError
from deviceflow.fleet.result import FleetResult, read_result
from tests.stage.fleet import RESULT

STAGE = cast("Stage", object())
"""No fault of these tests looks at it."""


class FakeTime:
    """The time of a run: nobody waits for it, and each look at it takes a second."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        self.seconds += 1
        return self.seconds


def fault(name: str, happen: Callable[[Stage], Coroutine[Any, Any, None]]) -> PlannedFault:
    return PlannedFault(Fault(name, f"the fault {name}", EMBEDDED, happen), at_s=1.0)


async def carry_out(planned: PlannedFault, now: Callable[[], float]) -> Faulting:
    faulting = Faulting([planned], STAGE, now)
    faulting.start()
    await asyncio.gather(*faulting.tasks)
    await faulting.close()
    return faulting


@pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: kind.name)
def test_every_kind_can_be_planned(kind: Fault) -> None:
    planned = read_fault(f"{kind.name}@2.5")
    assert planned == PlannedFault(kind, 2.5)
    assert store_for([planned]) == kind.store


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("restart-all", "NAME@SECONDS"),
        ("restart-all@soon", "NAME@SECONDS"),
        ("flood@60", "there is no fault 'flood'; there are none, reload"),
        ("restart-all@0.5", "the first second"),
    ],
)
def test_an_error_says_what_would_be_right(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_fault(text)


def test_what_needs_no_store_happens_on_any() -> None:
    assert store_for([]) == EMBEDDED
    assert store_for([read_fault("worker-killed@10"), read_fault("sentinel@20")]) == SENTINEL
    with pytest.raises(ValueError, match="different stores: embedded, sentinel"):
        store_for([read_fault("restart-all@10"), read_fault("sentinel@20")])


async def test_a_fault_that_lasts_has_an_end() -> None:
    happened: list[Stage] = []

    async def happen(stage: Stage) -> None:
        happened.append(stage)

    faulting = await carry_out(fault("store-stopped", happen), FakeTime().now)
    assert happened == [STAGE]
    (found,) = faulting.happened
    assert (found.name, found.title) == ("store-stopped", "the fault store-stopped")
    assert (found.at_s, found.until_s) == (2, 3)
    moment = await carry_out(fault("worker-killed", happen), lambda: 60.0)
    assert [(each.at_s, each.until_s) for each in moment.happened] == [(60, None)]


async def test_a_fault_that_cannot_be_brought_about_is_said() -> None:
    async def happen(_: Stage) -> None:
        raise BenchmarkError("the server has no worker")

    faulting = await carry_out(fault("worker-killed", happen), lambda: 5.0)
    assert faulting.failures == ["the fault worker-killed: the server has no worker"]
    assert faulting.happened == []


async def test_the_end_of_a_run_ends_a_fault() -> None:
    """What it has stopped goes on; those whose time has not come never happen."""
    begun, is_put_right = asyncio.Event(), []

    async def happen(_: Stage) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            is_put_right.append(True)

    later = PlannedFault(fault("reload", happen).fault, at_s=1_000.0)
    faulting = Faulting([fault("store-stopped", happen), later], STAGE, lambda: 5.0)
    faulting.start()
    await begun.wait()
    await faulting.close()
    assert is_put_right == [True]
    assert [each.name for each in faulting.happened] == ["store-stopped"]


async def test_an_unexpected_error_of_a_fault_ends_the_run() -> None:
    async def happen(_: Stage) -> None:
        raise ConnectionError("the store is gone")

    faulting = Faulting([fault("store-killed", happen)], STAGE, lambda: 5.0)
    faulting.start()
    await asyncio.wait(faulting.tasks)
    with pytest.raises(ConnectionError, match="the store is gone"):
        await faulting.close()


def test_the_time_of_processes_that_have_ended_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a restart, the time begins at 0; while there is nothing, there is no memory either."""
    times = iter([3.0, 5.0, 0.0, 0.5])
    monkeypatch.setattr("benchmarks.fleet.use.cpu_seconds", lambda _: next(times))
    monkeypatch.setattr("benchmarks.fleet.use.memory_bytes", lambda _: 1_000)
    use = Use(lambda: 1)
    assert [use.read().cpu_s for _ in range(4)] == [3, 5, 5, 5.5]

    def gone(_: int) -> int:
        raise BenchmarkError("no such process")

    monkeypatch.setattr("benchmarks.fleet.use.memory_bytes", gone)
    monkeypatch.setattr("benchmarks.fleet.use.cpu_seconds", lambda _: 0.0)
    assert use.read().memory_bytes == 0


def test_the_command_writes_the_result_and_its_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[fleet.Load] = []

    def run(_: Path, load: fleet.Load, __: fleet.Watch) -> FleetResult:
        loads.append(load)
        return RESULT

    monkeypatch.setattr(fleet, "run", run)
    options = "--devices 20 --seconds 10 --style obedient=3 --style buggy --fault restart-all@4"
    results = ["--results", str(tmp_path), "--name", "try"]
    done = CliRunner().invoke(main, ["fleet", *options.split(), *results])
    assert done.exit_code == 0, done.output
    assert read_result((tmp_path / "try.json").read_bytes()) == RESULT
    assert "a worker is killed" in (tmp_path / "try.html").read_text(encoding="utf-8")
    (load,) = loads
    assert load.scenario.styles == {"obedient": 0.75, "buggy": 0.25}
    assert load.scenario.known_within_s == SETTLE_S
    assert load.faults == (read_fault("restart-all@4"),)
    assert [str(wanted) for wanted in load.wanted] == ["wrong outcomes = 0"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--fault", "flood@3"], "there is no fault 'flood'"),
        (["--objective", "polls"], "write MEASURE SIGN VALUE"),
        (["--style", "rude"], "no style is called rude"),
    ],
)
def test_the_command_refuses_wrong_options(options: list[str], reason: str) -> None:
    done = CliRunner().invoke(main, ["fleet", *options])
    assert (done.exit_code, reason in done.output) == (2, True)
