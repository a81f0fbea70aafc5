"""The rounds: costs, the small fleet, nginx; the verdicts, and the file of costs."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from statistics import fmean, median
from typing import NamedTuple

import uvloop

from benchmarks.capacity.document import COSTS, LOAD, costs_text, operation_tables
from benchmarks.capacity.journey import Counts, Journey, Measured
from benchmarks.capacity.pace import gossip_costs
from benchmarks.capacity.page import RATIO
from benchmarks.capacity.proxy import ProxyCosts
from benchmarks.capacity.small_fleet import LOGINS, SmallFleet, predicted
from benchmarks.capacity.stored import key_bytes, record_bytes
from benchmarks.devices import allow_files
from benchmarks.grants import Person, issue_many
from benchmarks.meter import Meter, Usage
from benchmarks.polls import poll_start
from benchmarks.processes import BenchmarkError, here_on
from benchmarks.progress import Steps
from benchmarks.results import Result, Series, make_section
from benchmarks.run import Run
from benchmarks.servers import Competitor, Place, deviceflow
from benchmarks.signing_in import accounts
from benchmarks.stores import Store, store
from benchmarks.tables import Row, number, show
from benchmarks.tls_proxy import tls_proxy
from deviceflow.capacity.work import US, spent_waking

DEVICES = 3_000
"""Devices that poll once a second in the small fleet."""

GRANTS = 20_000
"""Pending grants by which the memory is checked."""

PEOPLE = 12
STEPS = 9
ATTEMPTS = 4
SLICES, BURST = 3, 4_000
QUIET, BETWEEN, BUSY = 3_000, 6_000, 9_000
"""Polls per second at random moments: the cost of waking up is found at the outer two rates."""

WITHIN = 0.2

HEAD = ("model : measured", "wanted", "median (rounds)", "reached")
CPU_PER_POLL, CPU = "CPU per poll", "CPU of a small fleet that does everything"
COMMANDS, MEMORY = "store commands of the same fleet", "store memory per pending grant"
VERDICTS = (CPU_PER_POLL, CPU, COMMANDS)


class Round(NamedTuple):
    """The costs of one round, and the ratios of what they predict to what was measured."""

    found: dict[str, Measured]
    idle: Usage
    wake_us: float
    mixed: float
    proxy: dict[str, float]
    ratios: dict[str, float]

    def tables(self) -> dict[str, dict[str, float]]:
        """Return the costs as tables of costs.toml."""
        workers = {
            "mixed": self.mixed,
            "wake_us": self.wake_us,
            "decision_us": self.found["decision"].usage.server_us,
            "decision_wakes": self.found["decision"].wakes,
            "idle_us": self.idle.server_us,
            "idle_store_us": self.idle.store_us,
            "idle_store_commands": self.idle.commands,
        }
        gossip = gossip_costs()
        heard = gossip.pop("heard")
        return operation_tables(self.found) | {
            "proxy": self.proxy,
            "workers": workers | gossip,
            "memory": {"heard": heard},
        }


class Slice(NamedTuple):
    """The cost of waking up, us, and what it predicts for a poll : what was measured."""

    wake_us: float
    ratio: float


def waking_us(rate: float, awake_us: float, poll_us: float) -> float:
    """Return the cost of waking up, in us: `spent_waking` the other way round.

    `poll_us`: what a poll costs at `rate`; `awake_us`: what it costs a worker that is awake.
    """
    return (poll_us - awake_us) / (1 - rate * poll_us * US)


class FleetUsage(NamedTuple):
    """What a small fleet has done, and what it has used."""

    counts: Mapping[str, int]
    used: Usage

    def mixed(self, found: Mapping[str, Measured], idle: Usage, wake_us: float) -> float:
        """Return how many times as much it used as the same operations, each among its kind."""
        wanted = predicted(self.counts, found, idle, self.used.seconds, wake_us)
        idle_us = idle.server_us * self.used.seconds
        return (self.used.server_us - idle_us) / (wanted.server_us - idle_us)

    def ratios(
        self, found: Mapping[str, Measured], idle: Usage, wake_us: float
    ) -> dict[str, float]:
        """Return the ratios of what the model predicts to what it used."""
        wanted = predicted(self.counts, found, idle, self.used.seconds, wake_us)
        return {
            CPU: wanted.server_us / self.used.server_us,
            COMMANDS: wanted.commands / self.used.commands,
        }


class Bench:
    """A server with one worker, its store, and the rounds."""

    def __init__(self, run: Run, opened: Store, server: Competitor) -> None:
        self._run, self._store, self._server = run, opened, server
        self._meter = Meter(server.pids, opened)
        self._codes: list[str] = []

    def memory(self) -> tuple[dict[str, float], float]:
        """Return the bytes of keys, and by how much a pending grant makes the store grow."""
        before = self._store.used_memory()
        with self._run.screen.steps(f"making {GRANTS:,} grants", GRANTS) as steps:
            self._codes = issue_many(self._store.url, GRANTS, 1, steps.done)
        return key_bytes(self._store), (self._store.used_memory() - before) / GRANTS

    def round(self, turn: int) -> Round:
        """Measure one round, again if the machine was too busy. May raise BenchmarkError."""
        title = f"round {turn + 1} of {self._run.turns.rounds}"
        for _ in range(ATTEMPTS - 1):
            try:
                return self._attempt(title)
            except BenchmarkError as error:
                self._run.screen.console.print(f"once more: {error}", style="dim")
        return self._attempt(title)

    def _attempt(self, title: str) -> Round:
        with (
            self._run.screen.steps(title, STEPS) as steps,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            measured = runner.run(self._workers(steps))
            steps.now("nginx")
            return measured._replace(proxy=self._proxy())

    async def _workers(self, steps: Steps) -> Round:
        """Measure the operations, and the small fleet."""

        def now(words: str) -> None:
            steps.now(words)
            steps.done()

        async with AsyncExitStack() as stack:
            person = await Person.open(self._store.url, stack)
            journey = Journey(self._server.port, self._meter, person, Counts(people=PEOPLE))
            now("people")
            await journey.begin()
            now("polls at random moments")
            of_polls = [await self._at_random(journey) for _ in range(SLICES)]
            now("a small fleet")
            first = await self._small_fleet(journey, person, DEVICES, LOGINS)
            await journey.run(now)
            now("another small fleet")
            second = await self._small_fleet(journey, person, DEVICES // 2, 2 * LOGINS)
            for browser in journey.browsers:
                browser.close()
        wake_us, idle = median(each.wake_us for each in of_polls), journey.idle
        found = {name: each.awake(wake_us) for name, each in journey.found.items()}
        mixed = first.mixed(found, idle, wake_us)
        ratios = second.ratios(
            {name: each.times(mixed) for name, each in found.items()}, idle, wake_us * mixed
        )
        ratios[CPU_PER_POLL] = median(each.ratio for each in of_polls)
        return Round(found, idle, wake_us, mixed, {}, ratios)

    async def _at_random(self, journey: Journey) -> Slice:
        """Find the cost of waking up at two rates of polls, and predict with it a third one."""
        awake_us = await journey.burst(self._codes, BURST)
        us = {
            rate: await journey.at_random(self._codes[:DEVICES], rate)
            for rate in (QUIET, BETWEEN, BUSY)
        }
        wake_us = fmean(waking_us(rate, awake_us, us[rate]) for rate in (QUIET, BUSY))
        needed, waking = (BETWEEN * each * US for each in (awake_us, wake_us))
        model_us = (needed + spent_waking(needed, waking)) / (BETWEEN * US)
        return Slice(wake_us, model_us / us[BETWEEN])

    async def _small_fleet(
        self, journey: Journey, person: Person, devices: int, logins: int
    ) -> FleetUsage:
        fleet = SmallFleet(self._server.port, self._meter, person, journey.browsers)
        used = await fleet.run(self._codes[:devices], logins)
        return FleetUsage(fleet.counts, used)

    def _proxy(self) -> dict[str, float]:
        """Measure nginx in front of the server."""
        start = poll_start(self._server.port)
        polls = [start + code.encode() for code in self._codes[-1_000:]]
        with tls_proxy(self._run.folder, self._server.port, self._run.cores.server) as proxy:
            costs = ProxyCosts(proxy)
            costs.run(polls)
        return costs.figures


def run(run: Run, *, writes_costs: bool = False) -> Result:
    """Measure the costs, compare the model with a small fleet, and write capacity-costs.toml.

    `writes_costs`: also into the package, as its own costs.
    """
    allow_files(DEVICES)
    with ExitStack() as stack:
        opened = stack.enter_context(store(run.folder, run.cores.generator))
        place = Place(run.folder, run.cores.server)
        server = stack.enter_context(
            deviceflow(place, opened.url, log_level="info", more=accounts(PEOPLE))
        )
        bench = Bench(run, opened, server)
        pending, grown = bench.memory()
        stack.enter_context(here_on(run.cores.generator))
        rounds = [bench.round(turn) for turn in range(run.turns.rounds)]
        kept = key_bytes(opened) | asyncio.run(record_bytes(opened))
    memory = {
        "grant": pending["grant"],
        "user_code": pending["user_code"],
        # Most of the grants that are left have been approved and redeemed: `approved` says so.
        "approved_grant": kept["approved_grant"],
        "family": kept["family"],
        "session": kept["session"],
        "account": kept["account"],
        "opaque_token": kept["opaque_token"],
    }
    result = _result(run, rounds, (pending["grant"] + pending["user_code"]) / grown)
    text = costs_text(_lowest(rounds), memory, result)
    (run.results / "capacity-costs.toml").write_text(text, encoding="utf-8")
    if writes_costs:
        COSTS.write_text(text, encoding="utf-8")
    return result


def _lowest(rounds: Sequence[Round]) -> dict[str, dict[str, float]]:
    """Return the tables of costs with the lowest figure of all rounds, where that makes sense."""
    tables = [each.tables() for each in rounds]
    lowest = {
        name: {key: min(table[name][key] for table in tables) for key in rows}
        for name, rows in tables[0].items()
    }
    # Of a difference and of a ratio, the lowest would be the one with the greatest error.
    lowest["workers"]["wake_us"] = median(each.wake_us for each in rounds)
    lowest["workers"]["mixed"] = median(each.mixed for each in rounds)
    return lowest


def _result(run: Run, rounds: Sequence[Round], memory: float) -> Result:
    """Print the verdicts and keep the figures."""
    ratios = {name: [each.ratios[name] for each in rounds] for name in VERDICTS}
    ratios[MEMORY] = [memory]
    rows = [verdict(name, values) for name, values in ratios.items()]
    show(run.screen.console, "The model against measurements", HEAD, rows)
    figures = {f"{RATIO}{name}": median(values) for name, values in ratios.items()}
    for table, costs in _lowest(rounds).items():
        figures |= {f"{table}.{key}": value for key, value in costs.items()}
    series = [Series(name, values) for name, values in ratios.items()]
    section = make_section("model", "The model against measurements", "ratio", series, [])
    parameters: dict[str, float | int | str] = {
        "devices": DEVICES,
        "logins": LOGINS,
        LOAD: round(os.getloadavg()[0]),
    }
    result = run.collect("capacity", [section], figures, parameters)
    run.keep(result)
    return result


def verdict(name: str, values: Sequence[float]) -> Row:
    """Return the row of a verdict: whether the median of the ratios is within WITHIN of 1."""
    middle = median(values)
    spread = f"{number(middle)} ({number(min(values))} to {number(max(values))})"
    reached = "yes" if abs(middle - 1) <= WITHIN else "no"
    return name, f"{1 - WITHIN:g} to {1 + WITHIN:g}", spread, reached
