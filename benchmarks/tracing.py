"""`tracing`: what traces cost the server, for each start of a grant and for each redemption.

Three servers take turns, each with its own log at the level `info`: without traces, with traces
to a collector, and with traces to an address where nothing listens. In a turn, some grants are
started over HTTP, approved in the store, and redeemed over HTTP. The figure is the processor time
of the whole server, with the thread that sends the traces.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager

import uvloop

from benchmarks.grants import Person
from benchmarks.load import Shot
from benchmarks.polls import authorization_request, poll_start
from benchmarks.processes import BenchmarkError, cpu_seconds, free_port, here_on
from benchmarks.progress import Steps
from benchmarks.results import Result, Section, Series, make_section
from benchmarks.rounds import Entry, order
from benchmarks.run import Run
from benchmarks.servers import Competitor, Place, deviceflow
from benchmarks.stores import store

GRANTS = 1_000
AT_A_TIME = 16
HEARD_S = 1.5
"""After the last approval: by then, the worker has heard of all of them."""

EXPORTED_S = 1.0
OFF, COLLECTOR, NOWHERE = "no traces", "traces to a collector", "traces to a dead address"


class Client:
    """A connection that is kept."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, request: bytes) -> dict[str, str]:
        """Send a request, and return the JSON of the answer. May raise BenchmarkError."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        body: dict[str, str] = json.loads(await self._reader.readexactly(length))
        if "error" in body:
            raise BenchmarkError(f"a request was refused: {body}")
        return body


async def _send_all(port: int, requests: Sequence[bytes]) -> list[dict[str, str]]:
    """Send the requests over some connections; return the answers."""
    answers: list[dict[str, str]] = []
    waiting = iter(requests)

    async def work() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        client = Client(reader, writer)
        answers.extend([await client.send(request) for request in waiting])
        writer.close()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(AT_A_TIME):
            tasks.create_task(work())
    return answers


async def _turn(server: Competitor, person: Person, grants: int) -> tuple[float, float]:
    """Return the processor time of a start and of a redemption, in us."""
    started = await _timed(server, [authorization_request(server.port)] * grants)
    for answer in started[1]:
        # People see it in groups; the store has it without.
        await person.approve(await person.claim(answer["user_code"].replace("-", "")))
    await asyncio.sleep(HEARD_S)
    poll = poll_start(server.port)
    redeemed = await _timed(server, [poll + one["device_code"].encode() for one in started[1]])
    return started[0] / grants * 1e6, redeemed[0] / grants * 1e6


async def _timed(
    server: Competitor, requests: Sequence[bytes]
) -> tuple[float, list[dict[str, str]]]:
    before = cpu_seconds(server.pids)
    answers = await _send_all(server.port, requests)
    # Spans are sent a moment later, in one piece.
    await asyncio.sleep(EXPORTED_S)
    return cpu_seconds(server.pids) - before, answers


@asynccontextmanager
async def _collector(port: int) -> AsyncIterator[list[int]]:
    """Take traces, and drop them. Yield the lengths of what came."""
    lengths: list[int] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                rest = head.lower().partition(b"content-length: ")[2]
                lengths.append(int(rest.partition(b"\r\n")[0]))
                await reader.readexactly(lengths[-1])
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\n"
                    b"Content-Length: 0\r\n\r\n"
                )
        except (asyncio.IncompleteReadError, asyncio.CancelledError):
            # Streams of Python 3.11 report a task of theirs that was cancelled as an error.
            writer.close()

    async with await asyncio.start_server(take, "127.0.0.1", port):
        yield lengths


def run(run: Run, grants: int = GRANTS) -> Result:
    """Measure the three servers in turns. May raise BenchmarkError: no trace was sent."""
    collector, nowhere = free_port(), free_port()
    variables = {
        OFF: {},
        COLLECTOR: _traces(collector),
        NOWHERE: _traces(nowhere),
    }
    with ExitStack() as stack:
        opened = stack.enter_context(store(run.folder, run.cores.generator))
        stack.enter_context(here_on(run.cores.generator))
        place = Place(run.folder, run.cores.server)
        servers = [
            stack.enter_context(
                deviceflow(place, opened.url, name=name, log_level="info", variables=more)
            )
            for name, more in variables.items()
        ]
        runner = stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
        sections = runner.run(_measure(run, servers, opened.url, collector, grants))
    figures = {
        f"{section.key}: {ratio.competitor} / {ratio.other}": ratio.spread.median
        for section in sections
        for ratio in section.ratios
    }
    return run.finish("tracing", sections, figures, {"grants": grants})


def _traces(port: int) -> dict[str, str]:
    return {
        "DEVICEFLOW_TRACING_ENABLED": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        "OTEL_BSP_SCHEDULE_DELAY": "500",
    }


async def _measure(
    run: Run, servers: Sequence[Competitor], url: str, collector: int, grants: int
) -> list[Section]:
    starts: dict[str, list[float]] = {server.name: [] for server in servers}
    redemptions: dict[str, list[float]] = {server.name: [] for server in servers}
    entries = [Entry(server.name, server, _no_shot) for server in servers]
    async with AsyncExitStack() as stack:
        lengths = await stack.enter_async_context(_collector(collector))
        person = await Person.open(url, stack)
        rounds = run.turns.rounds
        with run.screen.steps("tracing", (rounds + 1) * len(servers)) as steps:
            for number in range(-1, rounds):
                for entry in order(entries, max(0, number)):
                    took = await _shown(steps, number, entry.server, person, grants)
                    if number >= 0:
                        starts[entry.name].append(took[0])
                        redemptions[entry.name].append(took[1])
    if not lengths:
        raise BenchmarkError("no trace was sent: is the extra `otel` installed?")
    pairs = [(COLLECTOR, OFF), (NOWHERE, OFF)]
    return [
        make_section(
            key, title, "us of CPU", [Series(name, took) for name, took in table.items()], pairs
        )
        for key, title, table in (
            ("starts", "Starts of grants", starts),
            ("redemptions", "Redemptions", redemptions),
        )
    ]


def _no_shot(_: int) -> Shot:
    return Shot(b"")


async def _shown(
    steps: Steps, number: int, server: Competitor, person: Person, grants: int
) -> tuple[float, float]:
    steps.now(f"round {number + 1}: {server.name}" if number >= 0 else f"warming up {server.name}")
    took = await _turn(server, person, grants)
    steps.done()
    return took
