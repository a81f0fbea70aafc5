"""Faults at planned times of a fleet's run, on a stage that only takes notes."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest

from benchmarks.faults.kinds import FAULTS, Fault
from benchmarks.faults.stages import EMBEDDED, SENTINEL, Stage
from benchmarks.fleet.faulting import Faulting, PlannedFault, read_fault, store_for
from benchmarks.processes import BenchmarkError

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
