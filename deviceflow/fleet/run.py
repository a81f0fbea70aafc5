"""A whole run: in this process, or in several, whose ticks come here."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime

from deviceflow.fleet.plan import Plan
from deviceflow.fleet.process import run_processes
from deviceflow.fleet.record import Probe, Record, result_of
from deviceflow.fleet.result import FleetResult, Second
from deviceflow.fleet.share import Share, run_share


async def run_fleet(
    plan: Plan,
    watch: Callable[[Second], None],
    *,
    stop: asyncio.Event | None = None,
    probe: Probe | None = None,
) -> FleetResult:
    """Run a plan to its end, or until `stop`, and return the result, without objectives.

    `watch` is called with each second. `probe` reads what the server uses. May raise
    UnreachableError (the server's name is not known), InsecureAddressError, ProcessEndedError,
    ValueError (a command with unknown braces).
    """
    stop = stop or asyncio.Event()
    record = Record(plan.processes, watch, probe)
    times = [time.monotonic()]
    began_at = datetime.now(UTC)
    if plan.processes == 1:
        share = Share(number=0, of=1, began=times[0])
        await run_share(plan, share, record.add, stop)
    else:
        await run_processes(plan, times.append, record.add, stop)
    record.end()
    seconds = min(time.monotonic() - times[-1], plan.scenario.seconds)
    return result_of(plan, record, began_at, seconds)
