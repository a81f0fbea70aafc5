"""Faults at planned times of a run: those of `benchmarks/faults/`, while a fleet polls."""

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from benchmarks.faults.kinds import FAULTS, Fault
from benchmarks.faults.stages import EMBEDDED, Stage
from benchmarks.processes import BenchmarkError
from deviceflow.fleet import result as fleet
from deviceflow.tasks import end

MOMENT_S = 0.5
"""A fault that is carried out within this time is shown as a moment."""

FIRST_S = 1.0
"""Before it, there is nothing that a fault could disturb."""

_FORM = re.compile(r"([a-z-]+)@([0-9]+(?:\.[0-9]+)?)", re.ASCII)
_BY_NAME = {fault.name: fault for fault in FAULTS}
_ON_ANY_STORE = frozenset(
    {"none", "reload", "upgrade", "worker-killed", "worker-stopped", "keys", "push-cut"}
)


class PlannedFault(NamedTuple):
    """A fault, and when it happens, in s from the start of the run."""

    fault: Fault
    at_s: float


def read_fault(text: str) -> PlannedFault:
    """Read NAME@SECONDS. May raise ValueError, which says what would be right."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no fault: write NAME@SECONDS, as in restart-all@60")
    if found[1] not in _BY_NAME:
        raise ValueError(f"there is no fault {found[1]!r}; there are {', '.join(_BY_NAME)}")
    at_s = float(found[2])
    if at_s < FIRST_S:
        raise ValueError(f"{text}: the first second of a run has no faults")
    return PlannedFault(_BY_NAME[found[1]], at_s)


def store_for(planned: Sequence[PlannedFault]) -> str:
    """Return the store on which all of these can happen. May raise ValueError."""
    needed = {each.fault.store for each in planned if each.fault.name not in _ON_ANY_STORE}
    if len(needed) > 1:
        raise ValueError(f"these faults need different stores: {', '.join(sorted(needed))}")
    return next(iter(needed), EMBEDDED)


class Faulting:
    """Carries out faults. `now`: the time of the run, in s from its start.

    `tasks`: one for each. `happened`: those that did. `failures`: why others did not.
    """

    def __init__(
        self, planned: Sequence[PlannedFault], stage: Stage, now: Callable[[], float]
    ) -> None:
        self.happened: list[fleet.Fault] = []
        self.failures: list[str] = []
        self._planned, self._stage, self._now = planned, stage, now
        self.tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to wait for the time of each."""
        self.tasks = [asyncio.create_task(self._carry_out(each)) for each in self._planned]

    async def close(self) -> None:
        """End those that are still going on. Their end is put right, and noted.

        Raises what a fault raised that is no BenchmarkError.
        """
        await end(*self.tasks)
        self.happened.sort(key=lambda fault: fault.at_s)

    async def _carry_out(self, planned: PlannedFault) -> None:
        await asyncio.sleep(max(0.0, planned.at_s - self._now()))
        at_s = self._now()
        try:
            await planned.fault.happen(self._stage)
        except BenchmarkError as error:
            self.failures.append(f"{planned.fault.title}: {error}")
        except asyncio.CancelledError:
            self._note(planned.fault, at_s)
            raise
        else:
            self._note(planned.fault, at_s)

    def _note(self, fault: Fault, at_s: float) -> None:
        until_s = self._now()
        self.happened.append(
            fleet.Fault(
                name=fault.name,
                title=fault.title,
                at_s=round(at_s, 3),
                until_s=round(until_s, 3) if until_s - at_s > MOMENT_S else None,
            )
        )
