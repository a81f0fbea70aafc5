"""`push`: the time from an approval to the tokens at a held poll.

It starts when the approval is in the store: the script has returned, and no message was sent yet.
It ends when the device has the bytes of the token answer. In between are the push message, a read
from the store, the signature, the two round trips of the redemption, and the answer.

In turns with it, a bare PUBLISH is measured, with as many waiting consumers in one process: the
time from before PUBLISH until the *last* of the N consumers has the message. That is the cost of
the simplest design, in which each of N held polls receives every message. The time to the *first*
consumer is recorded, too: no push can be faster.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import NamedTuple

import uvloop
from redis.asyncio import Redis

from benchmarks import plots
from benchmarks.devices import Fleet
from benchmarks.grants import Person
from benchmarks.measure import percentile
from benchmarks.processes import BenchmarkError, cpu_seconds, here_on, pinned
from benchmarks.progress import Steps
from benchmarks.results import Result, Section, Series, make_section
from benchmarks.run import Run
from benchmarks.servers import Competitor, Place, deviceflow
from benchmarks.stores import Store, store
from benchmarks.subscribers import CHANNEL

HELD = (1, 1_000, 10_000)
APPROVALS = 210
PERIOD_S = 0.02
ANSWER_TIMEOUT_S = 10.0
IDLE_S = 0.3
OURS, LAST, FIRST = "held poll", "bare publish, last consumer", "bare publish, first consumer"
MARKS = {"p50": 0.5, "p99": 0.99, "max": 1.0}


class Bare:
    """The bare publisher, and the output lines of its subscribers."""

    def __init__(self, client: Redis, lines: asyncio.StreamReader) -> None:
        self._client = client
        self._lines = lines
        self._number = 0

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, count: int, core: int | None) -> AsyncIterator["Bare"]:
        """Start `count` consumers in a separate process."""
        command = [sys.executable, "-m", "benchmarks.subscribers", url, str(count)]
        process = await asyncio.create_subprocess_exec(
            *pinned(command, core), stdout=asyncio.subprocess.PIPE, start_new_session=True
        )
        try:
            async with Redis.from_url(url) as client:
                if process.stdout is None:
                    raise BenchmarkError("the subscribers have no output")
                bare = cls(client, process.stdout)
                if await bare.line() != ["ready"]:
                    raise BenchmarkError("the subscribers did not start")
                yield bare
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            await process.wait()

    async def publish(self) -> tuple[float, float]:
        """Publish, and return the seconds until the first and the last consumer had the message."""
        self._number += 1
        started = time.monotonic()
        await self._client.publish(CHANNEL, str(self._number))
        number, first, _, last = await self.line()
        if int(number) != self._number:
            raise BenchmarkError("the subscribers lost a message")
        return float(first) - started, float(last) - started

    async def line(self) -> list[str]:
        """Read the next line of the subscribers."""
        line = await asyncio.wait_for(self._lines.readline(), ANSWER_TIMEOUT_S)
        return line.decode().split()


class Times(NamedTuple):
    """Latencies in ms by competitor, a list for each round."""

    rounds: dict[str, list[list[float]]]

    def note(self, name: str, seconds: float) -> None:
        """Add a latency to the current round."""
        self.rounds[name][-1].append(seconds * 1000)

    def begin(self) -> None:
        """Begin a round."""
        for rounds in self.rounds.values():
            rounds.append([])

    def marks(self, name: str) -> dict[str, float]:
        """Return p50, p99 and the maximum over all rounds."""
        values = [value for latencies in self.rounds[name] for value in latencies]
        return {mark: percentile(values, share) for mark, share in MARKS.items()}

    def series(self, name: str) -> Series:
        """Return the p99 of every round, so that rounds can be compared."""
        return Series(name, [percentile(latencies, 0.99) for latencies in self.rounds[name]])


async def measure(fleet: Fleet, bare: Bare, rounds: int, approvals: int, steps: Steps) -> Times:
    """Measure approvals and publications in turns, at a steady rate."""
    times = Times({OURS: [], LAST: [], FIRST: []})
    each = -(-approvals // rounds)
    for number in range(rounds):
        times.begin()
        steps.now(f"round {number + 1} of {rounds}: approvals")
        for count in range(each):
            # Spread the approvals over all held polls.
            place = (number * each + count) * len(fleet.devices) // (rounds * each)
            device = fleet.devices[place]
            async with period():
                times.note(OURS, await fleet.approve(device))
                await fleet.hold(device)
            steps.done()
        steps.now(f"round {number + 1} of {rounds}: bare publish")
        for _ in range(each):
            async with period():
                first, last = await bare.publish()
                times.note(FIRST, first)
                times.note(LAST, last)
            steps.done()
    return times


@asynccontextmanager
async def period() -> AsyncIterator[None]:
    """Wait at the end of the block until a whole period has passed."""
    until = time.monotonic() + PERIOD_S
    yield
    await asyncio.sleep(max(0.0, until - time.monotonic()))


async def wait_until_idle(server: Competitor) -> None:
    """Wait until the server has nothing to do. All polls are then held."""
    while True:
        before = cpu_seconds(server.pids)
        await asyncio.sleep(IDLE_S)
        if cpu_seconds(server.pids) - before < IDLE_S / 10:
            return


class Push:
    """The benchmark, with its store."""

    def __init__(self, run: Run, opened: Store) -> None:
        self._run = run
        self._store = opened
        self.figures: dict[str, float] = {}
        self.panels: list[tuple[str, dict[str, dict[str, float]]]] = []

    async def with_held(self, held: int, approvals: int) -> Section:
        """Measure with `held` held polls."""
        cores, rounds = self._run.cores, self._run.turns.rounds
        title = f"{held:,} held poll" + "s" * (held > 1)
        each = -(-approvals // rounds)
        async with AsyncExitStack() as stack:
            place = Place(self._run.folder, cores.server)
            server = stack.enter_context(deviceflow(place, self._store.url))
            fleet = Fleet(server.port, await Person.open(self._store.url, stack))
            stack.callback(fleet.close)
            steps = stack.enter_context(self._run.screen.steps(title, 2 * each * rounds))
            steps.now("opening connections")
            await fleet.grow(held)
            await wait_until_idle(server)
            opened = Bare.open(self._store.url, held, cores.server)
            bare = await stack.enter_async_context(opened)
            times = await measure(fleet, bare, rounds, approvals, steps)
        return self._section(held, title, times)

    def _section(self, held: int, title: str, times: Times) -> Section:
        marks = {name: times.marks(name) for name in times.rounds}
        for name, row in marks.items():
            for mark, value in row.items():
                self.figures[f"{held}: {name} {mark} ms"] = value
        ours, last, first = (times.series(name) for name in (OURS, LAST, FIRST))
        section = make_section(
            f"held_{held}",
            f"Push: {title}, p99 of a round",
            "ms",
            [ours, last, first],
            [(OURS, LAST), (OURS, FIRST)],
            [
                f"{name}: " + ", ".join(f"{mark} {value:.2f} ms" for mark, value in row.items())
                for name, row in marks.items()
            ],
        )
        for ratio in section.ratios:
            self.figures[f"{held}: p99 / {ratio.other} p99"] = ratio.spread.median
        self.panels.append((title, marks))
        return section


def run(run: Run, held: tuple[int, ...] = HELD, approvals: int = APPROVALS) -> Result:
    """Measure each number of held polls."""
    with store(run.folder, run.cores.generator) as opened, here_on(run.cores.generator):
        push = Push(run, opened)
        sections = []
        for count in held:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                sections.append(runner.run(push.with_held(count, approvals)))
    parameters: dict[str, float | int | str] = {
        "approvals": approvals,
        "period_s": PERIOD_S,
        "compared": "approval in the store to token bytes : PUBLISH to the last of N consumers",
    }
    result = run.finish("push", sections, push.figures, parameters)
    plots.percentiles(run.results / "push.svg", push.panels, "ms after the approval")
    return result
