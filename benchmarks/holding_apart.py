"""What one poll and one device cost a server: a part of the benchmark `holding`."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

import uvloop

from benchmarks.grants import Person
from benchmarks.holding_fleets import Measured
from benchmarks.holding_sites import HOLDS_S, KEPT, Site, site_of
from benchmarks.ordinary import OrdinaryFleet
from benchmarks.processes import memory_bytes
from benchmarks.progress import Steps
from benchmarks.run import Run

MEMORY_S = 8
COST_WARM_S, COST_S = 4, 15


def measure_apart(run: Run, devices: int) -> dict[str, float]:
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
