"""`replacing`: polls that are lost while all workers are replaced, again and again.

A bounded load polls: half of it over connections that are kept, half with a connection for each
poll. Meanwhile the server is reloaded or upgraded as often as asked. A poll is lost if its
connection is refused, if it is reset, or if it ends without an answer.
"""

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import uvloop

from benchmarks.measure import percentile
from benchmarks.polls import poll_start, seal
from benchmarks.processes import BenchmarkError
from benchmarks.results import Result
from benchmarks.run import Run
from benchmarks.servers import Place, deviceflow
from benchmarks.stores import store
from deviceflow.config import Server
from deviceflow.supervisor.control import CONTROL_NAME, ask

RATE = 2_000
KEPT = 100
SINGLE = 20
CODES = 1_000
DATA_DIR = Server().data_dir
WORKERS = 2
WAIT_S = 0.05
ANSWERED, REFUSED, RESET, UNANSWERED, WRONG = "answered", "refused", "reset", "unanswered", "wrong"
LOST = (REFUSED, RESET, UNANSWERED, WRONG)

RIGHT = (b'"error":"authorization_pending"', b'"error":"slow_down"')


class Target(NamedTuple):
    """The server, and what to send: `starts` without their device codes, kept and single."""

    port: int
    kept: bytes
    single: bytes
    codes: list[bytes]


class PollLoad:
    """The load. `counts`: polls by how they ended."""

    def __init__(self, target: Target, rate: int) -> None:
        self.counts: Counter[str] = Counter()
        self._target = target
        self._rate = rate
        self._on = True
        self._sent = 0

    async def run(self) -> None:
        """Poll until `stop`."""
        half = self._rate / 2
        clients = [self._keep(KEPT / half) for _ in range(KEPT)]
        clients += [self._connect_each(SINGLE / half) for _ in range(SINGLE)]
        await asyncio.gather(*clients)

    def stop(self) -> None:
        """End after the polls that are under way."""
        self._on = False

    async def _keep(self, period: float) -> None:
        connection = None
        while self._on:
            due = time.monotonic() + period
            if connection is None or connection[0].at_eof():
                connection = await self._open()
            if connection is not None and await self._poll(connection, self._target.kept):
                connection[1].close()
                connection = None
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        if connection is not None:
            connection[1].close()

    async def _connect_each(self, period: float) -> None:
        while self._on:
            due = time.monotonic() + period
            connection = await self._open()
            if connection is not None:
                await self._poll(connection, self._target.single)
                connection[1].close()
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        try:
            return await asyncio.open_connection("127.0.0.1", self._target.port)
        except OSError:
            self.counts[REFUSED] += 1
            return None

    async def _poll(
        self, connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], start: bytes
    ) -> bool:
        """Poll once; return whether the connection ends."""
        reader, writer = connection
        self._sent += 1
        code = self._target.codes[self._sent % len(self._target.codes)]
        try:
            writer.write(start + code)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            body = await reader.readexactly(length)
        except asyncio.IncompleteReadError:
            self.counts[UNANSWERED] += 1
            return True
        except OSError:
            self.counts[RESET] += 1
            return True
        self.counts[ANSWERED if any(kind in body for kind in RIGHT) else WRONG] += 1
        return b"connection: close" in head.lower()


def run(run: Run, command: str, times: int, rate: int = RATE) -> Result:
    """Replace the workers `times` times under load. May raise BenchmarkError: a change failed.

    `command`: "reload" or "upgrade".
    """
    with store(run.folder) as a_store:
        codes = [code.encode() for code in seal(a_store.installation().codes, CODES)]
        with deviceflow(Place(run.folder, None, WORKERS), a_store.url) as server:
            single = poll_start(server.port, close=True)
            target = Target(server.port, poll_start(server.port), single, codes)
            load, took = uvloop.run(_measure(target, run.folder, command, times, rate))
    lost = {name: float(load.counts[name]) for name in LOST}
    figures = {
        f"{command}s": float(times),
        "polls answered": float(load.counts[ANSWERED]),
        **{f"polls {name}": count for name, count in lost.items()},
        f"median time of a {command} (s)": percentile(took, 0.5),
        "polls per second": load.counts[ANSWERED] / sum(took),
    }
    return run.finish(f"replacing_{command}", [], figures, {"rate": rate, "workers": WORKERS})


async def _measure(
    target: Target, folder: Path, command: str, times: int, rate: int
) -> tuple[PollLoad, list[float]]:
    while not (folder / DATA_DIR / CONTROL_NAME).exists():  # noqa: ASYNC110, the server is starting
        await asyncio.sleep(WAIT_S)
    load = PollLoad(target, rate)
    polling = asyncio.create_task(load.run())
    took = []
    for _ in range(times):
        started = time.monotonic()
        answer = await asyncio.to_thread(ask, folder / DATA_DIR, command)
        if answer is None or answer.problems:
            problems = answer.problems if answer else ["no answer"]
            raise BenchmarkError(f"the {command} failed: {'; '.join(problems)}")
        took.append(time.monotonic() - started)
    load.stop()
    await polling
    return load, took
