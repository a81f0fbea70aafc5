"""`fleet`: the fleet of `deviceflow fleet` against a server of this machine, with faults meanwhile.

A server with its workers, its store and the API of operators runs on loopback, without limits on
new grants: the fleet of one machine looks like a flood. People decide through that API. While the
fleet polls, faults happen at planned times (`benchmarks/faults/kinds.py` has them).
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks.faults.stages import Settings, Stage, open_stage
from benchmarks.fleet.faulting import Faulting, PlannedFault, store_for
from benchmarks.fleet.use import Use
from benchmarks.polls import CLIENT_ID, SCOPE
from benchmarks.processes import BenchmarkError
from benchmarks.servers import ADMIN_TOKEN, NO_LIMITS, admin_api
from deviceflow.conformance.discovery import find_endpoints
from deviceflow.device.client_auth import Credentials
from deviceflow.fleet.limits import processes_of_run, raise_file_limit, sources_for
from deviceflow.fleet.loop import run_loop
from deviceflow.fleet.objectives import Wanted, judge
from deviceflow.fleet.plan import Plan, needs_of
from deviceflow.fleet.result import FleetResult, Scenario, Second
from deviceflow.fleet.run import run_fleet
from deviceflow.fleet.ways import ByAdminApi
from deviceflow.ops.version import version

Watch = Callable[[Second], None]


class Load(NamedTuple):
    """What happens: the scenario, the faults, and what is wanted of it.

    `processes`: of the fleet; None: as many as the limit on open files needs. `server`: how many
    workers it has, and the interval that it names.
    """

    scenario: Scenario
    faults: Sequence[PlannedFault]
    wanted: Sequence[Wanted]
    processes: int | None
    server: Settings


def run(folder: Path, load: Load, watch: Watch) -> FleetResult:
    """Run a fleet against a server in `folder`. May raise BenchmarkError, LimitError.

    `watch` is called with each second.
    """
    kind = store_for(load.faults)
    # The server inherits the limit on open files.
    raise_file_limit()
    more = NO_LIMITS + admin_api(folder)
    with open_stage(folder / "stage", kind, load.server._replace(more=more)) as stage:
        result = run_loop(_run(stage, load, watch))
    workers = f"{load.server.workers} workers" if load.server.workers > 1 else "one worker"
    result = msgspec.structs.replace(
        result, server=f"deviceflow {result.version}, {workers}, {kind} store"
    )
    return msgspec.structs.replace(result, objectives=judge(load.wanted, result))


async def _run(stage: Stage, load: Load, watch: Watch) -> FleetResult:
    await stage.wait_until_controlled()
    plan = await _plan(stage, load)
    began = _Beginning()
    faulting = Faulting(load.faults, stage, began.now)

    def watch_faults(second: Second) -> None:
        if not began.is_known:
            began.note(second)
            faulting.start()
        watch(second)

    try:
        result = await run_fleet(plan, watch_faults, probe=Use(lambda: stage.pid).read)
    finally:
        await faulting.close()
    if faulting.failures:
        raise BenchmarkError("; ".join(faulting.failures))
    return msgspec.structs.replace(result, faults=faulting.happened)


class _Beginning:
    """When the run began, told by its first second: it may have several processes."""

    def __init__(self) -> None:
        self._at: float | None = None

    @property
    def is_known(self) -> bool:
        return self._at is not None

    def note(self, second: Second) -> None:
        """Note the end of a second."""
        self._at = time.monotonic() - second.at_s - 1.0

    def now(self) -> float:
        """Return the time of the run, in s."""
        return time.monotonic() - (self._at or 0.0)


async def _plan(stage: Stage, load: Load) -> Plan:
    needs = needs_of(load.scenario, load.server.interval_s)
    issuer = f"http://127.0.0.1:{stage.port}"
    return Plan(
        scenario=load.scenario,
        endpoints=await find_endpoints(issuer),
        credentials=Credentials(client_id=CLIENT_ID),
        scope=SCOPE,
        way=ByAdminApi(base=f"http://127.0.0.1:{stage.admin_port}", token=ADMIN_TOKEN),
        version=version(),
        processes=processes_of_run(needs, load.processes),
        sources=sources_for(needs, server="127.0.0.1", given=()),
    )
