"""The fleets of the benchmark `holding`: what they cost a server, and how soon they get tokens."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from statistics import mean
from typing import NamedTuple

from benchmarks.grants import Person
from benchmarks.holding_sites import HOLDS_S, Site
from benchmarks.measure import percentile
from benchmarks.ordinary import INTERVAL_S, PENDING, TOKENS, OrdinaryFleet
from benchmarks.processes import BenchmarkError, cpu_seconds
from benchmarks.progress import Steps

IDLE_S = 15
APPROVE_S = 40
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
