"""`paths`: what every request costs, beside a plain aiohttp handler with the same round trips.

The CPU time of the server, the commands and the bytes of the store, for a request of each kind.
The servers take turns, step by step, so that both are measured within the same seconds.
`benchmarks/paths/plain.py` says what the plain handler does, and what it leaves out. deviceflow
runs as it is installed: with limits, log lines, the audit and metrics.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from functools import partial
from hashlib import sha256
from typing import NamedTuple

import uvloop

from benchmarks import targets
from benchmarks.certificate import client_context, make_certificate
from benchmarks.grants import Person
from benchmarks.load import CONNECTIONS
from benchmarks.measure import spread
from benchmarks.paths.cost import Cost
from benchmarks.paths.life import API, API_SECRET, Life
from benchmarks.paths.polls import KINDS, TLS_KINDS, Polls
from benchmarks.paths.table import figure, tables
from benchmarks.paths.visits import PEOPLE, Visits
from benchmarks.processes import free_port, here_on, running, wait_for_port
from benchmarks.results import Result, Section, Series, make_section
from benchmarks.run import Run
from benchmarks.servers import PLAIN, Competitor, Place, deviceflow
from benchmarks.signing_in import BEHIND_PROXY, accounts
from benchmarks.stores import Store, store
from benchmarks.tables import show
from benchmarks.tls_proxy import tls_proxy

Measure = Callable[[], Awaitable[Cost]]

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


NGINX_TLS, WORKER_TLS = "nginx with TLS", "TLS in the worker"


class Path(NamedTuple):
    """A kind of request. `by_server`: what measures it once, by the name of the server."""

    name: str
    by_server: dict[str, Measure]


class Servers(NamedTuple):
    """The competitors."""

    ours: Competitor
    plain: Competitor
    nginx: Competitor
    worker_tls: Competitor


def run(run: Run, grants: int = GRANTS) -> Result:
    """Measure all paths, in turns. May raise BenchmarkError."""
    with ExitStack() as stack:
        opened = stack.enter_context(store(run.folder, run.cores.generator))
        servers = _start(Place(run.folder, run.cores.server), opened.url, stack)
        codes = opened.installation().codes
        stack.enter_context(here_on(run.cores.generator))
        runner = stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
        polls = Polls(codes, opened, grants)
        costs = runner.run(_measure(run, opened, servers, polls, grants))
    sections = [_section(name, by_server) for name, by_server in costs.items()]
    figures = {
        figure(name, kind): value
        for name, by_server in costs.items()
        for kind, value in _figures(next(iter(by_server.values()))).items()
    }
    figures |= {
        f"{section.key}: {ratio.competitor} / {ratio.other}": ratio.spread.median
        for section in sections
        for ratio in section.ratios
    }
    parameters: dict[str, float | int | str] = {"grants": grants, "connections": CONNECTIONS}
    result = run.collect("paths", sections, figures, parameters)
    for title, head, rows in tables(result):
        show(run.screen.console, title, head, rows)
    show(run.screen.console, "Targets", targets.HEAD, targets.rows({"paths": result}))
    run.keep(result)
    return result


def _start(place: Place, url: str, stack: ExitStack) -> Servers:
    """Start the servers. Each of the workers has a configuration of its own and the same store."""
    more = API_CLIENT + accounts(PEOPLE)
    certificate = make_certificate(place.folder)
    ours = stack.enter_context(
        deviceflow(
            place,
            url,
            name=OURS,
            log_level="info",
            variables=BEHIND_PROXY,
            limits=LIMITS,
            more=more,
        )
    )
    inside = ("benchmarks.paths.tls", str(certificate))
    return Servers(
        ours,
        stack.enter_context(_plain(place, url)),
        _behind_nginx(place, ours, stack),
        stack.enter_context(deviceflow(place, url, name=WORKER_TLS, program=inside)),
    )


def _behind_nginx(place: Place, server: Competitor, stack: ExitStack) -> Competitor:
    """Run nginx with TLS in front of `server`. Its CPU time is that of both."""
    proxy = stack.enter_context(tls_proxy(place.folder, server.port, place.core))
    return Competitor(NGINX_TLS, proxy.secure, (proxy.pid, *server.pids))


@contextmanager
def _plain(place: Place, redis_url: str) -> Iterator[Competitor]:
    port = free_port()
    log = place.folder / f"{port}.log"
    command = [sys.executable, "-m", "benchmarks.paths.plain", str(port), redis_url]
    with running(command, log, core=place.core) as process:
        wait_for_port(process, port, log)
        yield Competitor(PLAIN, port, (process.pid,))


async def _measure(
    run: Run, opened: Store, servers: Servers, polls: Polls, grants: int
) -> dict[str, dict[str, list[Cost]]]:
    """Return the costs of each round, by path and server."""
    async with AsyncExitStack() as stack:
        person = await Person.open(opened.url, stack)
        lives = {
            OURS: Life(servers.ours, opened, person, grants),
            PLAIN: Life(servers.plain, opened, None, grants),
        }
        visits = await Visits.open(servers.ours, opened, person, stack)
        paths = [*_life(lives), *_polls(servers, polls), *_visits(visits)]
        costs: dict[str, dict[str, list[Cost]]] = {
            path.name: {name: [] for name in path.by_server} for path in paths
        }
        with run.screen.steps("paths", (run.turns.rounds + 1) * len(paths)) as steps:
            for number in range(-1, run.turns.rounds):
                for path in paths:
                    steps.now(f"round {number + 1} of {run.turns.rounds}: {path.name}")
                    for name in list(path.by_server)[:: -1 if number % 2 else 1]:
                        cost = await path.by_server[name]()
                        # The first round warms up.
                        if number >= 0:
                            costs[path.name][name].append(cost)
                    steps.done()
    return costs


def _life(lives: dict[str, Life]) -> list[Path]:
    return [
        Path(name, {who: partial(life.step, name) for who, life in lives.items()})
        for name in lives[OURS].names
    ]


def _polls(servers: Servers, polls: Polls) -> list[Path]:
    bare = [
        Path(
            name,
            {
                OURS: partial(polls.cost, servers.ours, kind),
                PLAIN: partial(polls.cost, servers.plain, kind),
            },
        )
        for name, kind in KINDS.items()
    ]
    tls = client_context()
    secure = [
        Path(
            name,
            {
                NGINX_TLS: partial(polls.cost, servers.nginx, kind, tls),
                WORKER_TLS: partial(polls.cost, servers.worker_tls, kind, tls),
            },
        )
        for name, kind in TLS_KINDS.items()
    ]
    return [*bare, *secure]


def _visits(visits: Visits) -> list[Path]:
    return [Path(name, {OURS: partial(visits.step, name)}) for name in visits.names]


def _section(name: str, costs: dict[str, list[Cost]]) -> Section:
    series = [Series(who, [cost.server_us for cost in rows]) for who, rows in costs.items()]
    first, *others = costs
    pairs = [(other, first) for other in others]
    return make_section(name, name[0].upper() + name[1:], "us of CPU", series, pairs)


def _figures(costs: list[Cost]) -> dict[str, float]:
    return {kind: spread([getattr(cost, kind) for cost in costs]).median for kind in Cost._fields}
