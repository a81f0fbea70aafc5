"""`holding`: what it costs and gains to hold the polls of devices that do not ask for it.

Four servers, each with a store of its own and another `device.hold_s`, have as many devices each
(`ordinary.py`), all in the same seconds: so every ratio is between servers that had the same
noise. First the devices poll for some time, and the servers' CPU time and polls are read at its
two ends. The CPU time that the idle server takes is subtracted. Then some of the grants are
approved, at random times. The latency is from the decision in the store to the tokens at the
device.

The four ways: connections kept or one for each poll, directly or behind nginx with TLS. nginx runs
the file that is shipped (config/proxies/nginx.conf), with one host.

What one poll costs is measured apart, where there are enough of them: two servers have as many
devices, each with a poll a second. One holds each poll for that second; at the other one, the
devices wait. The figures of the fleet above are of servers that mostly sleep, so their CPU time
is small beside that of an idle server, and noisy.

The memory of a device is the difference between twice as many devices and so many, on kept
connections, divided by their number: so what the first devices make the process allocate once is
left out.
"""

import asyncio
import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from statistics import mean
from typing import NamedTuple

import uvloop

from benchmarks import plots, targets
from benchmarks.devices import allow_files
from benchmarks.grants import Person
from benchmarks.holding_sites import HOLDS_S, KEPT, WAYS, Site, site_of, sites_of
from benchmarks.measure import percentile
from benchmarks.ordinary import INTERVAL_S, PENDING, TOKENS, OrdinaryFleet
from benchmarks.processes import (
    BenchmarkError,
    cpu_seconds,
    memory_bytes,
)
from benchmarks.progress import Steps
from benchmarks.results import Result
from benchmarks.run import Run
from benchmarks.tables import number, show

DEVICES = 1_000
APPROVALS = 120
SECONDS = 50
IDLE_S = 15
APPROVE_S = 40
MEMORY_S = 8
COST_WARM_S, COST_S = 4, 15
WARM_S = max(HOLDS_S) + INTERVAL_S + 1
PATIENCE_S = 60


class Reading(NamedTuple):
    """What a site had used at one moment: CPU time in s, and the polls answered by then."""

    server_s: float
    proxy_s: float
    polls: int


class Row(NamedTuple):
    """The figures of one hold. `polls` and the CPU time, in us, are for a device and minute."""

    hold_s: int
    polls: float
    server_us: float
    proxy_us: float
    p50_ms: float
    p95_ms: float
    mean_ms: float


class Measured:
    """One site while it is measured."""

    def __init__(self, site: Site, person: Person, pause_s: float = INTERVAL_S) -> None:
        self.site = site
        self.fleet = OrdinaryFleet(site.front, pause_s)
        self._person = person
        self._devices = len(site.codes)
        self._idle = self._before = self._after = Reading(0, 0, 0)
        self._user_codes: dict[str, str] = {}
        self._latencies: list[float] = []

    async def idle(self) -> None:
        """Measure what the server and the proxy take without devices."""
        before = self._read()
        await asyncio.sleep(IDLE_S)
        after = self._read()
        self._idle = Reading(
            (after.server_s - before.server_s) / IDLE_S,
            (after.proxy_s - before.proxy_s) / IDLE_S,
            0,
        )

    async def start(self, approvals: int) -> None:
        """Start the devices; `approvals` of them have grants that can be approved."""
        for _ in range(approvals):
            issued = await self._person.issue(INTERVAL_S)
            self._user_codes[issued.device_code] = issued.user_code
        codes = [*self._user_codes, *self.site.codes[approvals:]]
        self.fleet.start(codes, self.site.hold_s + INTERVAL_S)

    def begin(self) -> None:
        """Begin the measurement of polls."""
        self._before = self._read()

    def finish(self) -> None:
        """End the measurement of polls."""
        self._after = self._read()

    async def approve_all(self, seconds: float) -> None:
        """Approve every grant that can be, at a random time within `seconds`."""
        await asyncio.gather(
            *(
                self._approve(*codes, random.uniform(0, seconds))
                for codes in self._user_codes.items()
            )
        )

    def row(self, seconds: float) -> Row:
        """Return the figures. May raise BenchmarkError: if a device was served wrongly."""
        if wrong := {*self.fleet.outcomes} - {PENDING, TOKENS}:
            raise BenchmarkError(f"hold {self.site.hold_s} s: devices got {sorted(wrong)}")
        if len(self._latencies) < len(self._user_codes):
            raise BenchmarkError(f"hold {self.site.hold_s} s: some devices got no tokens")
        minutes = self._devices * seconds / 60
        server_s = self._server_s(seconds)
        proxy_s = self._after.proxy_s - self._before.proxy_s - self._idle.proxy_s * seconds
        return Row(
            self.site.hold_s,
            (self._after.polls - self._before.polls) / minutes,
            server_s / minutes * 1e6,
            proxy_s / minutes * 1e6,
            percentile(self._latencies, 0.5),
            percentile(self._latencies, 0.95),
            mean(self._latencies),
        )

    def us_per_poll(self, seconds: float) -> float:
        """Return the server's CPU time for each poll, in us."""
        return self._server_s(seconds) / (self._after.polls - self._before.polls) * 1e6

    def _server_s(self, seconds: float) -> float:
        return self._after.server_s - self._before.server_s - self._idle.server_s * seconds

    async def _approve(self, device_code: str, user_code: str, delay: float) -> None:
        await asyncio.sleep(delay)
        grant = await self._person.claim(user_code)
        committed = await self._person.approve(grant)
        async with asyncio.timeout(PATIENCE_S):
            while device_code not in self.fleet.granted_at:  # noqa: ASYNC110, of another task
                await asyncio.sleep(0.05)
        self._latencies.append((self.fleet.granted_at[device_code] - committed) * 1000)

    def _read(self) -> Reading:
        return Reading(
            cpu_seconds(self.site.server.pids),
            cpu_seconds(self.site.proxies),
            self.fleet.outcomes.total(),
        )


async def measure(sites: Sequence[Site], seconds: int, approvals: int, steps: Steps) -> list[Row]:
    """Measure all sites in the same seconds. May raise BenchmarkError."""
    async with AsyncExitStack() as stack:
        measured = []
        for site in sites:
            person = await Person.open(site.store.url, stack)
            measured.append(Measured(site, person))
            stack.push_async_callback(measured[-1].fleet.end)
        steps.now("idle")
        await asyncio.gather(*(each.idle() for each in measured))
        for each in measured:
            await each.start(approvals)
        steps.now("devices start")
        await asyncio.sleep(WARM_S)
        for each in measured:
            each.begin()
        for _ in range(seconds):
            steps.now(f"{sum(each.fleet.outcomes.total() for each in measured):,} polls")
            await asyncio.sleep(1)
            steps.done()
        for each in measured:
            each.finish()
        steps.now("people approve")
        await asyncio.gather(*(each.approve_all(APPROVE_S) for each in measured))
        return [each.row(seconds) for each in measured]


def run(
    run: Run, ways: Sequence[str], devices: int = DEVICES, approvals: int = APPROVALS
) -> Result:
    """Measure the ways with these names. May raise BenchmarkError."""
    # A device behind nginx takes a file here and two at nginx.
    allow_files(2 * devices * len(HOLDS_S))
    figures: dict[str, float] = {}
    panels: list[tuple[str, list[Row]]] = []
    seconds = round(run.turns.seconds)
    for way in (way for way in WAYS if way.name in ways):
        with (
            run.screen.steps(way.name, seconds) as steps,
            sites_of(run, way, devices) as sites,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            rows = runner.run(measure(sites, seconds, approvals, steps))
        show(run.screen.console, f"{devices:,} devices, {way.name}", HEAD, [*map(_shown, rows)])
        panels.append((way.name, rows))
        for row in rows:
            named = f"{way.name}, hold {row.hold_s}"
            figures |= {f"{named}: {name}": value for name, value in row._asdict().items()}
            figures[f"{named}: p50 / hold 0 p50"] = row.p50_ms / rows[0].p50_ms
    if KEPT.name in ways:
        apart = _apart(run, devices)
        values = [(name, number(value)) for name, value in apart.items()]
        show(run.screen.console, "Measured apart", ("", "value"), values)
        figures |= apart
    parameters: dict[str, float | int | str] = {
        "devices": devices,
        "approvals": approvals,
        "interval_s": INTERVAL_S,
    }
    result = run.collect("holding", [], figures, parameters)
    if reached := targets.rows({"holding": result}):
        show(run.screen.console, "Targets", targets.HEAD, reached)
    run.keep(result)
    plots.holding(run.results / "holding.svg", panels)
    return result


HEAD = (
    "hold, s", "polls a minute", "server CPU, us", "nginx CPU, us", "p50, ms", "p95, ms",
    "mean, ms",
)  # fmt: skip


def _shown(row: Row) -> tuple[str, ...]:
    return (str(row.hold_s), *(number(value) for value in row[1:]))


def _apart(run: Run, devices: int) -> dict[str, float]:
    """Return what one poll and one device cost, on kept connections."""
    with run.screen.steps("cost of a poll", COST_S) as steps:
        figures = _costs(run, devices, steps)
    for hold_s in (0, max(HOLDS_S)):
        with run.screen.steps(f"memory, hold {hold_s} s", 2) as steps:
            figures[f"memory, hold {hold_s}: bytes"] = _memory(run, hold_s, devices, steps)
    return figures


def _costs(run: Run, devices: int, steps: Steps) -> dict[str, float]:
    """Return the server's CPU time for a plain poll and for a held one, in us."""
    with (
        site_of(run, KEPT, 0, devices, interval=1) as plain,
        site_of(run, KEPT, 1, devices, interval=1) as held,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        plain_us, held_us = runner.run(_polled_each_second((plain, held), steps))
    return {
        "cost of a plain poll: us": plain_us,
        "cost of a held poll: us": held_us,
        "cost of a held poll / a plain poll": held_us / plain_us,
    }


async def _polled_each_second(sites: Sequence[Site], steps: Steps) -> list[float]:
    async with AsyncExitStack() as stack:
        measured = []
        for site in sites:
            person = await Person.open(site.store.url, stack)
            measured.append(Measured(site, person, pause_s=1 - site.hold_s))
            stack.push_async_callback(measured[-1].fleet.end)
        await asyncio.gather(*(each.idle() for each in measured))
        for each in measured:
            each.fleet.start(each.site.codes, 1)
        await asyncio.sleep(COST_WARM_S)
        for each in measured:
            each.begin()
        for _ in range(COST_S):
            await asyncio.sleep(1)
            steps.done()
        for each in measured:
            each.finish()
        return [each.us_per_poll(COST_S) for each in measured]


def _memory(run: Run, hold_s: int, devices: int, steps: Steps) -> float:
    """Return the memory of one device with a kept connection, in bytes."""
    with (
        site_of(run, KEPT, hold_s, 2 * devices) as site,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        return runner.run(_grown(site, steps)) / devices


async def _grown(site: Site, steps: Steps) -> int:
    fleet = OrdinaryFleet(site.front)
    used = []
    half = len(site.codes) // 2
    for codes in (site.codes[:half], site.codes[half:]):
        fleet.start(codes, MEMORY_S / 2)
        await asyncio.sleep(MEMORY_S)
        used.append(memory_bytes(site.server.pids[0]))
        steps.done()
    await fleet.end()
    return used[1] - used[0]
