"""`approvals`: the approvals per second that a worker takes through the API of operators.

Every approval is of another grant that is pending: `POST /api/v1/grants/{id}/approve` with the
claims of one of many people, over kept connections. deviceflow is measured without and with a log
line for each approval, which is the default. It is compared with a plain aiohttp handler with as
many round trips to the store, which checks nothing.

The load is made in this process, which shares its core with the store.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import cycle
from typing import NamedTuple

import msgspec
import uvloop

from benchmarks import plots
from benchmarks.grants import issue_many
from benchmarks.load import CONNECTIONS
from benchmarks.measure import spread
from benchmarks.polls import CLIENT_ID
from benchmarks.processes import BenchmarkError, cpu_seconds, here_on
from benchmarks.results import Result, Series, make_section
from benchmarks.rounds import WARM_UP_S
from benchmarks.run import Run
from benchmarks.servers import ADMIN_TOKEN, PLAIN, Competitor, Place, deviceflow, plain
from benchmarks.stores import Store, store

OURS, LOGGING = "deviceflow", "deviceflow, logging"
PEOPLE = 250
"""As many as the warm-up makes known to the server."""

MOST_PER_SECOND = 3_000
"""Grants to make for each second of a turn: more than any competitor approves."""


class Turn(NamedTuple):
    """The results of one turn.

    `server_us`: the server's CPU time for each approval. `busy`: CPU s per s of this process.
    """

    rate: float
    server_us: float
    busy: float
    approvals: int


class Approver:
    """Approves pending grants at one server, as fast as it answers."""

    def __init__(self, port: int, grant_ids: Sequence[str]) -> None:
        self._port = port
        self._left = iter(grant_ids)
        self._people = cycle(_people())
        self.approved = 0
        self._until = 0.0

    async def run(self, seconds: float) -> float:
        """Approve for so long; return the approvals per second. May raise BenchmarkError."""
        before, began = self.approved, time.perf_counter()
        self._until = began + seconds
        async with asyncio.TaskGroup() as tasks:
            for _ in range(CONNECTIONS):
                tasks.create_task(self._connection())
        return (self.approved - before) / (time.perf_counter() - began)

    async def _connection(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            while time.perf_counter() < self._until:
                writer.write(self._request())
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
                body = await reader.readexactly(length)
                if not head.startswith(b"HTTP/1.1 200") or b'"approved"' not in body:
                    raise BenchmarkError(f"an approval was refused: {body.decode()}")
                self.approved += 1
        finally:
            writer.close()

    def _request(self) -> bytes:
        grant_id = next(self._left, None)
        if grant_id is None:
            raise BenchmarkError("there are no pending grants left; raise MOST_PER_SECOND")
        body = next(self._people)
        lines = (
            f"POST /api/v1/grants/{grant_id}/approve HTTP/1.1",
            f"Host: 127.0.0.1:{self._port}",
            f"Authorization: Bearer {ADMIN_TOKEN}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        )
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def run(run: Run) -> Result:
    """Measure every server with one worker, in turns."""
    place = Place(run.folder, run.cores.server)
    with ExitStack() as stack:
        opened = stack.enter_context(store(run.folder, run.cores.generator))
        servers = (
            stack.enter_context(deviceflow(place, opened.url, name=OURS, has_api=True)),
            stack.enter_context(
                deviceflow(place, opened.url, name=LOGGING, log_level="info", has_api=True)
            ),
            stack.enter_context(plain(place, opened.url)),
        )
        stack.enter_context(here_on(run.cores.generator))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            series = runner.run(_take_turns(run, opened, servers))
    section = make_section(
        "approvals_1",
        "Approvals through the API: connections kept, 1 worker",
        "approvals/s",
        series,
        [(OURS, LOGGING), (OURS, PLAIN)],
    )
    figures = {f"{OURS} / {ratio.other}": ratio.spread.median for ratio in section.ratios}
    figures[f"{OURS}, median"] = section.of(OURS).spread.median
    # On a machine that has other things to do, this says more than the rate.
    figures[f"{OURS}, per second of CPU time"] = 1e6 / spread(section.of(OURS).server_us).median
    result = run.finish("approvals", [section], figures, {"connections": CONNECTIONS})
    plots.columns(run.results / "approvals.svg", section)
    return result


async def _take_turns(run: Run, opened: Store, servers: Sequence[Competitor]) -> list[Series]:
    turns = run.turns
    needed = int(MOST_PER_SECOND * (turns.rounds * turns.seconds + WARM_UP_S))
    approvers = {}
    with run.screen.steps("grants", needed * len(servers)) as steps:
        for server in servers:
            steps.now(f"making grants for {server.name}")
            grant_ids = await asyncio.to_thread(_grant_ids, opened, needed, steps.done)
            approvers[server.name] = Approver(server.admin_port or server.port, grant_ids)
    taken: dict[str, list[Turn]] = {server.name: [] for server in servers}
    with run.screen.steps("approvals", len(servers) * (turns.rounds + 1)) as steps:
        for server in servers:
            steps.now(f"warming up {server.name}")
            await approvers[server.name].run(WARM_UP_S)
            steps.done()
        for number in range(turns.rounds):
            first = number % len(servers)
            for server in (*servers[first:], *servers[:first]):
                steps.now(f"round {number + 1} of {turns.rounds}: {server.name}")
                taken[server.name].append(
                    await _turn(server, approvers[server.name], turns.seconds)
                )
                steps.done()
    return [
        Series(
            name,
            [turn.rate for turn in rows],
            [turn.server_us for turn in rows],
            [turn.busy for turn in rows],
            [turn.approvals for turn in rows],
        )
        for name, rows in taken.items()
    ]


async def _turn(server: Competitor, approver: Approver, seconds: float) -> Turn:
    approved, used, own = approver.approved, cpu_seconds(server.pids), time.process_time()
    rate = await approver.run(seconds)
    approvals = approver.approved - approved
    used, own = cpu_seconds(server.pids) - used, time.process_time() - own
    return Turn(rate, used / max(1, approvals) * 1e6, own * rate / max(1, approvals), approvals)


def _grant_ids(opened: Store, count: int, done: Callable[[int], None]) -> list[str]:
    codes = opened.installation().codes
    sealed = issue_many(opened.url, count, 1, done)
    read = (codes.open(code.encode(), CLIENT_ID.encode()) for code in sealed)
    return [f"{code.grant_id:016x}" for code in read if code is not None]


def _people() -> Iterator[bytes]:
    """Yield the claims of people who have signed in elsewhere."""
    for number in range(PEOPLE):
        yield msgspec.json.encode(
            {
                "sub": f"248289761{number:03}",
                "username": f"person-{number}",
                "name": f"Person {number}",
                "email": f"person-{number}@example.com",
                "amr": ["pwd", "otp"],
                "auth_time": int(time.time()),
            }
        )
