"""A run: processes and faults, and the checker over their history while it grows and at the end."""

import asyncio
import dataclasses
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from aiohttp import ClientSession, DummyCookieJar, TCPConnector

from deviceflow.tasks import end
from tests.histories import faults
from tests.histories.checker import Violation, check
from tests.histories.devices import LIFETIMES_S, Device
from tests.histories.history import History, Operation
from tests.histories.operators import Operators
from tests.histories.people import People
from tests.histories.site import LOOPBACK, Site, open_site
from tests.histories.wire import Wire

LOOK_S = 5.0
WIND_DOWN_S = 4 * max(LIFETIMES_S.values())
"""How long the processes may take to end what they have begun."""


class Plan(NamedTuple):
    """What a run does. `faults`: those with this in their name, None for none of them.

    `orders_s`: the mean time between two orders of operators; 0 for none.
    `stops_at_once`: whether the first violation ends the run.
    """

    store: str
    seconds: float
    devices: int = 24
    seed: int = 8628
    faults: str | None = ""
    orders_s: float = 4.0
    stops_at_once: bool = False


@dataclass
class Summary:
    """What a run has shown. `first_at`: when the first violation was seen, in s, or None."""

    plan: Plan
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    grants: int = 0
    silence_s: float = 0.0
    took_s: float = 0.0
    first_at: float | None = None
    violations: list[Violation] = field(default_factory=list)

    @property
    def operations(self) -> int:
        """How many operations the history has."""
        return self.counts.total()


Progress = Callable[[Summary], None]


def _be_silent(_: Summary) -> None:
    return None


async def run(
    plan: Plan,
    folder: Path,
    progress: Progress = _be_silent,
    variables: Mapping[str, str] | None = None,
) -> Summary:
    """Carry out a plan. `folder` keeps the history and the logs of the hosts.

    `variables`: what is in the environment of hosts and commands.
    """
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240, nothing else runs yet
    summary, began = Summary(plan), time.monotonic()
    async with AsyncExitStack() as stack:
        file = stack.enter_context((folder / "history.jsonl").open("wb"))
        site = await stack.enter_async_context(open_site(plan.store, folder, variables))
        history = History(file)
        cast = await _meet(plan, site, history, stack)
        watching = asyncio.create_task(_watch(history, summary, cast.stopping, progress))
        try:
            await _wait(plan.seconds, cast.stopping, [*cast.tasks, watching])
            cast.stopping.set()
            stopped_at = history.now
            async with asyncio.timeout(WIND_DOWN_S):
                # First, so that no host is left dead or stopped.
                await asyncio.gather(*cast.beside)
                if not plan.stops_at_once or summary.first_at is None:
                    await asyncio.gather(*cast.living)
                    await cast.people.finish()
            await watching
        finally:
            for task in (*cast.tasks, watching):
                await end(task)
            await cast.people.leave()
    _summarise(summary, history.operations, stopped_at)
    summary.violations = check(history.operations)
    summary.took_s = time.monotonic() - began
    return summary


class _Cast(NamedTuple):
    """All who act in a run: devices (`living`) and people; operators and faults (`beside`)."""

    stopping: asyncio.Event
    people: People
    living: list[asyncio.Task[None]]
    beside: list[asyncio.Task[None]]

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        return [*self.living, *self.beside]


async def _meet(plan: Plan, site: Site, history: History, stack: AsyncExitStack) -> _Cast:
    """Let them begin."""
    session = await stack.enter_async_context(_session(force_close=True))
    wire = Wire(session, history, site.url, site.desks)
    people = await People.meet(wire, site.store_url, plan.seed)
    cast = _Cast(asyncio.Event(), people, [], [])
    for number in range(plan.devices):
        own, host = wire, None
        if number % 2 == 0:
            # Half of the devices keep their connections to one host.
            host = number // 2 % len(site.doors)
            kept = await stack.enter_async_context(_session())
            front = f"http://{LOOPBACK}:{site.doors[host].port}"
            own = dataclasses.replace(wire, session=kept, front=front)
        device = Device(number, own, people.see, cast.stopping, plan.seed, host)
        cast.living.append(asyncio.create_task(device.live()))
    if plan.orders_s:
        operators = Operators(site, wire, plan.orders_s, plan.seed)
        cast.beside.append(asyncio.create_task(operators.work(cast.stopping)))
    if plan.faults is not None:
        coming = faults.bring_about(site, history, cast.stopping, plan.seed, plan.faults)
        cast.beside.append(asyncio.create_task(coming))
    return cast


def _session(*, force_close: bool = False) -> ClientSession:
    """Make a client. With `force_close`, every request has a connection of its own."""
    connector = TCPConnector(limit=0, force_close=force_close)
    return ClientSession(connector=connector, cookie_jar=DummyCookieJar())


async def _wait(seconds: float, stopping: asyncio.Event, tasks: list[asyncio.Task[None]]) -> None:
    """Wait until the time is over, or a violation was seen. Raise what a task raises."""
    stopped = asyncio.create_task(stopping.wait())
    over = asyncio.create_task(asyncio.sleep(seconds))
    await asyncio.wait({stopped, over, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    for task in (stopped, over):
        task.cancel()
    for task in tasks:
        if task.done():
            task.result()


async def _watch(
    history: History, summary: Summary, stopping: asyncio.Event, progress: Progress
) -> None:
    """Check the grants that have changed, every few seconds."""
    seen: set[tuple[str, str, str]] = set()
    while not stopping.is_set():
        await asyncio.sleep(LOOK_S)
        changed, history.changed = frozenset(history.changed), set()
        for violation in check(history.operations, changed):
            if violation[:3] not in seen:
                seen.add(violation[:3])
                summary.violations.append(violation)
        if summary.violations and summary.first_at is None:
            summary.first_at = history.now
            if summary.plan.stops_at_once:
                stopping.set()
        _summarise(summary, history.operations, history.now)
        summary.took_s = history.now
        progress(summary)


def _summarise(summary: Summary, operations: list[Operation], until: float) -> None:
    """Count. `until`: when devices began to stop, from which on fewer and fewer polls come."""
    ended = [each for each in operations if each.completed is not None]
    summary.counts = Counter((each.name, each.answer or str(each.outcome)) for each in ended)
    summary.faults = Counter(str(each.args["kind"]) for each in ended if each.name == "fault")
    summary.grants = summary.counts["start", "done"]
    polls = (each for each in ended if each.name == "poll" and each.is_done)
    answered = sorted(poll.ended for poll in polls if poll.ended <= until)
    gaps = (later - earlier for earlier, later in pairwise(answered))
    summary.silence_s = max(gaps, default=0.0)
