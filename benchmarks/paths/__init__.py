"""`paths`: what every request costs, beside a plain aiohttp handler with the same round trips.

The CPU time of the server, the commands and the bytes of the store, for a request of each kind.
The servers take turns, step by step, so that both are measured within the same seconds.
`benchmarks/paths/plain.py` says what the plain handler does, and what it leaves out. deviceflow
runs as it is installed: with limits, log lines, the audit and metrics.
"""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from hashlib import sha256

import uvloop

from benchmarks.grants import Person
from benchmarks.load import CONNECTIONS
from benchmarks.measure import spread
from benchmarks.paths.cost import Cost
from benchmarks.paths.life import API, API_SECRET, Life
from benchmarks.paths.table import TITLE, figure, head, rows
from benchmarks.processes import free_port, here_on, running, wait_for_port
from benchmarks.results import Result, Section, Series, make_section
from benchmarks.run import Run
from benchmarks.servers import PLAIN, Competitor, Place, deviceflow
from benchmarks.stores import Store, store
from benchmarks.tables import show

OURS = "deviceflow"
GRANTS = 400
"""In each step of each round."""

LIMITS = """\
[limits]
starts = 100000000
starts_per_network = 100000000
starts_per_address = 100000000
live_grants = 100000000
"""
API_CLIENT = f"""\
[[clients]]
client_id = "{API}"
name = "An API"
scopes = []
auth_method = "client_secret_basic"
secret_sha256 = ["{sha256(API_SECRET.encode()).hexdigest()}"]
introspect = true
"""


def run(run: Run, grants: int = GRANTS) -> Result:
    """Measure all paths, in turns. May raise BenchmarkError."""
    place = Place(run.folder, run.cores.server)
    with ExitStack() as stack:
        opened = stack.enter_context(store(run.folder, run.cores.generator))
        ours = stack.enter_context(
            deviceflow(
                place, opened.url, name=OURS, log_level="info", limits=LIMITS, more=API_CLIENT
            )
        )
        other = stack.enter_context(_plain(place, opened.url))
        stack.enter_context(here_on(run.cores.generator))
        runner = stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
        costs = runner.run(_measure(run, opened, (ours, other), grants))
    sections = [_section(name, by_server) for name, by_server in costs.items()]
    figures = {
        figure(name, kind): value
        for name, by_server in costs.items()
        for kind, value in _figures(by_server[OURS]).items()
    }
    figures |= {
        f"{section.key}: {PLAIN} / {OURS}": section.ratios[0].spread.median for section in sections
    }
    parameters: dict[str, float | int | str] = {"grants": grants, "connections": CONNECTIONS}
    result = run.collect("paths", sections, figures, parameters)
    show(run.screen.console, TITLE, head(), rows(result))
    run.keep(result)
    return result


@contextmanager
def _plain(place: Place, redis_url: str) -> Iterator[Competitor]:
    port = free_port()
    log = place.folder / f"{port}.log"
    command = [sys.executable, "-m", "benchmarks.paths.plain", str(port), redis_url]
    with running(command, log, core=place.core) as process:
        wait_for_port(process, port, log)
        yield Competitor(PLAIN, port, (process.pid,))


async def _measure(
    run: Run, opened: Store, servers: tuple[Competitor, Competitor], grants: int
) -> dict[str, dict[str, list[Cost]]]:
    """Return the costs of each round, by path and server."""
    async with AsyncExitStack() as stack:
        person = await Person.open(opened.url, stack)
        ours, other = servers
        lives = [Life(ours, opened, person, grants), Life(other, opened, None, grants)]
        names = lives[0].names
        costs: dict[str, dict[str, list[Cost]]] = {
            name: {life.server.name: [] for life in lives} for name in names
        }
        with run.screen.steps("paths", (run.turns.rounds + 1) * len(names)) as steps:
            for number in range(-1, run.turns.rounds):
                for name in names:
                    steps.now(f"round {number + 1} of {run.turns.rounds}: {name}")
                    for life in lives[:: -1 if number % 2 else 1]:
                        cost = await life.step(name)
                        # The first round warms up.
                        if number >= 0:
                            costs[name][life.server.name].append(cost)
                    steps.done()
    return costs


def _section(name: str, costs: dict[str, list[Cost]]) -> Section:
    series = [Series(who, [cost.server_us for cost in rows]) for who, rows in costs.items()]
    return make_section(name, name.capitalize(), "us of CPU", series, [(PLAIN, OURS)])


def _figures(costs: list[Cost]) -> dict[str, float]:
    return {kind: spread([getattr(cost, kind) for cost in costs]).median for kind in Cost._fields}
