"""`flood`: one address starts grants as fast as it can, and others use the server meanwhile.

One worker, and a store with little room that evicts nothing. Devices at other addresses start
grants, people approve them, and each device holds a poll until it has its tokens. People sign in
with a password. Once without limits, and once with them. The flood, the devices and the people
share one core, so the times are upper bounds.
"""

import asyncio
import time
from collections import Counter
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import NamedTuple

import aiohttp
import uvloop

from benchmarks.grants import Person
from benchmarks.load import Load, LoadResult, Shot
from benchmarks.measure import percentile
from benchmarks.polls import CLIENT_ID, SCOPE, authorization_request
from benchmarks.processes import BenchmarkError, here_on, memory_bytes
from benchmarks.results import Result
from benchmarks.run import Run
from benchmarks.servers import NO_LIMITS, Competitor, Place, deviceflow
from benchmarks.signing_in import BEHIND_PROXY, accounts
from benchmarks.signing_in import Person as Visitor
from benchmarks.stores import Store, store
from deviceflow.core.messages import DEVICE_CODE_GRANT
from deviceflow.store.errors import StoreUnavailable

SECONDS = 20
ROOM_MB = 40
DEVICES_PER_S = 5
SIGN_IN_EVERY = 25
"""A person signs in with each device of so many: once in five seconds."""

PEOPLE = 50
"""How many accounts there are."""

PATIENCE_S = 10
AFTER_S = 2.0
"""The others begin so long after the flood."""

WITHOUT, WITH = "without limits", "with limits"
_MARKS = {"p50": 0.5, "p99": 0.99, "max": 1.0}


@dataclass
class Record:
    """What honest devices and people lived through: times in s, by what they did, and failures."""

    took: dict[str, list[float]] = field(default_factory=dict)
    failed: Counter[str] = field(default_factory=Counter)

    def note(self, what: str, since: float) -> None:
        """Note that something succeeded, and how long it took."""
        self.took.setdefault(what, []).append(time.monotonic() - since)

    def figures(self) -> dict[str, float]:
        """Return counts, and marks in ms."""
        figures: dict[str, float] = {}
        for what in ("start", "tokens after approval", "sign-in"):
            took = self.took.get(what, [])
            figures[f"{what}: succeeded"] = len(took)
            figures[f"{what}: failed"] = self.failed[what]
            if took:
                figures |= {
                    f"{what}: {mark}, ms": percentile(took, share) * 1000
                    for mark, share in _MARKS.items()
                }
        return figures


@dataclass
class Town:
    """Devices and people with addresses of their own."""

    port: int
    session: aiohttp.ClientSession
    approver: Person
    record: Record = field(default_factory=Record)

    async def live(self, seconds: float) -> None:
        """Let devices come and people sign in, at steady rates."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for number in count(1):
                due = began + number / DEVICES_PER_S
                if due > began + seconds:
                    break
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                tasks.create_task(self._device(number))
                if number % SIGN_IN_EVERY == 0:
                    tasks.create_task(self._sign_in(number // SIGN_IN_EVERY))

    async def _device(self, number: int) -> None:
        """Start a grant; when it is approved, get the tokens."""
        address = {"X-Forwarded-For": f"198.51.{number // 250}.{number % 250 + 1}"}
        began = time.monotonic()
        form = {"client_id": CLIENT_ID, "scope": SCOPE}
        status, codes = await self._post("device_authorization", form, address)
        if status != 200:
            self.record.failed["start"] += 1
            return
        self.record.note("start", began)
        poll = {
            "client_id": CLIENT_ID,
            "grant_type": DEVICE_CODE_GRANT,
            "device_code": codes["device_code"],
        }
        holding = asyncio.create_task(self._post("token", poll, address | {"Prefer": "wait=9"}))
        try:
            grant = await self.approver.claim(codes["user_code"].replace("-", ""))
            approved = await self.approver.approve(grant)
            status, _ = await holding
        except (StoreUnavailable, LookupError):
            status = 0
            holding.cancel()
        if status == 200:
            self.record.note("tokens after approval", approved)
        else:
            self.record.failed["tokens after approval"] += 1

    async def _post(
        self, endpoint: str, form: dict[str, str], headers: dict[str, str]
    ) -> tuple[int, dict[str, str]]:
        """Send a form; return the status and the answer, or 0 without an answer."""
        url = f"http://127.0.0.1:{self.port}/oauth2/{endpoint}"
        try:
            async with self.session.post(url, data=form, headers=headers) as answer:
                return answer.status, await answer.json()
        except (aiohttp.ClientError, TimeoutError, OSError):
            return 0, {}

    async def _sign_in(self, number: int) -> None:
        began = time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE_S):
                visitor = await Visitor.at(self.port, number % PEOPLE)
                try:
                    await visitor.sign_in()
                finally:
                    await visitor.leave()
        except (aiohttp.ClientError, BenchmarkError, TimeoutError, OSError):
            self.record.failed["sign-in"] += 1
        else:
            self.record.note("sign-in", began)


def run(run: Run, room_mb: int, starts: int) -> Result:
    """Flood a server without limits, and one with them.

    `room_mb`: what the store has room for beside what is in it at first. `starts`: the limit of an
    address.
    """
    figures: dict[str, float] = {}
    with run.screen.steps("floods", 2) as steps:
        for name in (WITHOUT, WITH):
            steps.now(f"{name}, {run.turns.seconds} s")
            folder = run.folder / name.split()[0]
            folder.mkdir()
            off = NO_LIMITS + "store_memory_percent = 0\n"
            limits = off if name == WITHOUT else f"[limits]\nstarts_per_address = {starts}\n"
            found = _flooded(run, Scene(folder, name, limits, room_mb))
            figures |= {f"{name}: {what}": value for what, value in found.items()}
            steps.done()
    parameters: dict[str, float | int | str] = {
        "room_mb": room_mb,
        "starts_per_address": starts,
        "devices_per_s": DEVICES_PER_S,
    }
    return run.finish("flood", [], figures, parameters)


class Scene(NamedTuple):
    """A server that is flooded: its folder, name, limits as settings, and the room in its store."""

    folder: Path
    name: str
    limits: str
    room_mb: int


def _flooded(run: Run, scene: Scene) -> dict[str, float]:
    """Flood one server with a store of its own; return the figures."""
    folder = scene.folder
    with ExitStack() as stack:
        opened = stack.enter_context(store(folder, run.cores.generator))
        server = stack.enter_context(
            deviceflow(
                Place(folder, run.cores.server),
                opened.url,
                name=scene.name,
                log_level="info",
                variables=BEHIND_PROXY,
                limits=scene.limits,
                more=accounts(PEOPLE),
            )
        )
        opened.client.config_set("maxmemory", opened.used_memory() + scene.room_mb * 2**20)
        load = Load(folder, run.cores.generator)
        stack.enter_context(here_on(run.cores.generator))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            fired, record = runner.run(_flood(opened, server, load, run.turns.seconds))
        log = (folder / f"{server.port}.log").read_bytes()
        return record.figures() | {
            "flood: requests/s": fired.rate,
            "flood: refused": fired.refused,
            "store, MB": opened.used_memory() / 1e6,
            "server, MB": memory_bytes(server.pids[0]) / 1e6,
            "log lines": len(log.splitlines()),
            "log lines, warnings": log.count(b'"warning"'),
        }


async def _flood(
    opened: Store, server: Competitor, load: Load, seconds: float
) -> tuple[LoadResult, Record]:
    """Let the flood and the others run at the same time."""
    shot = Shot(authorization_request(server.port))
    timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession(timeout=timeout))
        town = Town(server.port, session, await Person.open(opened.url, stack))
        flooding = asyncio.create_task(
            asyncio.to_thread(load.fire, server.port, shot, seconds + AFTER_S)
        )
        await asyncio.sleep(AFTER_S)
        await town.live(seconds)
        return await flooding, town.record
