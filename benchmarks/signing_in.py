"""`signing-in`: what a wave of sign-ins does to the polls of waiting devices.

A fleet of obedient devices polls at a steady rate, each over a connection that is kept. In every
other turn, 200 people send their password at the same moment; a password costs about a seventh of
a second of a core. The figure is the 99th percentile of how long a poll waits for its answer. It
counts from the moment at which the poll was due, so a poll that the generator sends late counts
as slow.

The devices are in this process, and the people in one of their own: an event loop that makes 200
requests at once sends no poll in time. Both have the core of the store.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import ExitStack
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from urllib.parse import urlencode

import aiohttp
import uvloop

from benchmarks.grants import issue_many
from benchmarks.measure import percentile
from benchmarks.pages import address_of, csrf_token
from benchmarks.polls import poll_start
from benchmarks.processes import BenchmarkError, cpu_seconds, here_on
from benchmarks.results import Result, Series, make_section
from benchmarks.run import Run
from benchmarks.servers import Competitor, Place, deviceflow
from benchmarks.stores import store
from deviceflow.store.passwords import HASHER

CALM, WAVE = "polls alone", "polls beside 200 sign-ins"
PEOPLE = 200
DEVICES = 200
LOOK_S = 0.02
PASSWORD = "correct horse battery"
BEHIND_PROXY = {"DEVICEFLOW_SERVER_TRUSTED_PROXIES": "127.0.0.1"}
"""The variable of a server that believes the addresses in `X-Forwarded-For`."""


class Fleet:
    """Devices that poll once a second, spread over it, and how long each answer took, in s."""

    def __init__(self, port: int, codes: Sequence[str]) -> None:
        self._start = poll_start(port)
        self._port = port
        self._codes = codes
        self.took: list[float] = []

    async def poll(self, until: asyncio.Event) -> None:
        """Poll until the event, and then once more. May raise BenchmarkError."""
        self.took.clear()
        began = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for number, code in enumerate(self._codes):
                first = began + number / len(self._codes)
                tasks.create_task(self._device(code, first, until))

    async def _device(self, code: str, due: float, until: asyncio.Event) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            while not until.is_set():
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                writer.write(self._start + code.encode())
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
                body = await reader.readexactly(length)
                if b"authorization_pending" not in body and b"slow_down" not in body:
                    raise BenchmarkError(f"a poll was answered: {body.decode()}")
                self.took.append(time.perf_counter() - due)
                # A little more than the interval, so that no poll is too fast.
                due += 1.02
        finally:
            writer.close()


class Person:
    """A browser that has the form for a password on its screen."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str, name: str) -> None:
        self._session, self._url, self._token, self._name = session, url, token, name

    @classmethod
    async def at(cls, port: int, number: int) -> "Person":
        """Open the form, from an address of one's own."""
        url = f"http://127.0.0.1:{port}/login"
        session = aiohttp.ClientSession(
            cookie_jar=aiohttp.CookieJar(unsafe=True),
            headers={"X-Forwarded-For": address_of(number)},
        )
        async with session.get(url) as answer:
            token = csrf_token(await answer.text())
        return cls(session, url, token, _name(number))

    async def sign_in(self) -> None:
        """Send the password. May raise BenchmarkError: it was refused."""
        form = {"csrf_token": self._token, "username": self._name, "password": PASSWORD}
        async with self._session.post(
            self._url,
            data=urlencode(form),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            allow_redirects=False,
        ) as answer:
            if answer.headers.get("Location") != "/device":
                raise BenchmarkError(f"a sign-in was answered {answer.status}")

    async def leave(self) -> None:
        """Close the browser."""
        await self._session.close()


def _name(number: int) -> str:
    return f"person-{number}"


def accounts(count: int) -> str:
    """Return the settings of so many people. All have PASSWORD."""
    hashed = HASHER.hash(PASSWORD)
    return "".join(
        f'[[users]]\nusername = "{_name(number)}"\npassword_hash = "{hashed}"\n'
        for number in range(count)
    )


def run(run: Run) -> Result:
    """Measure polls alone and beside sign-ins, in turns."""
    with ExitStack() as stack:
        opened = stack.enter_context(store(run.folder, run.cores.generator))
        place = Place(run.folder, run.cores.server)
        server = stack.enter_context(
            deviceflow(place, opened.url, name=CALM, variables=BEHIND_PROXY, more=accounts(PEOPLE))
        )
        codes = issue_many(opened.url, DEVICES, 1, lambda _: None)
        stack.enter_context(here_on(run.cores.generator))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            series = runner.run(_take_turns(run, server, codes))
    section = make_section(
        "signing_in",
        f"Polls of {DEVICES} devices, 99th percentile",
        "ms",
        series,
        [(WAVE, CALM)],
    )
    figures = {f"{WAVE} / {CALM}": section.ratios[0].spread.median}
    figures |= {f"{each.competitor}, ms": each.spread.median for each in series}
    return run.finish("signing-in", [section], figures, {"people": PEOPLE, "devices": DEVICES})


async def _take_turns(run: Run, server: Competitor, codes: Sequence[str]) -> list[Series]:
    fleet = Fleet(server.port, codes)
    taken: dict[str, list[float]] = {CALM: [], WAVE: []}
    with run.screen.steps("turns", 2 * run.turns.rounds) as steps:
        for number in range(run.turns.rounds):
            for name in (CALM, WAVE) if number % 2 else (WAVE, CALM):
                steps.now(f"round {number + 1} of {run.turns.rounds}: {name}")
                people = PEOPLE if name == WAVE else 0
                taken[name].append(await _turn(fleet, server, people, run.turns.seconds))
                steps.done()
    return [Series(name, values) for name, values in taken.items()]


class Wave:
    """So many people who sign in at the same moment, in a process of their own."""

    def __init__(self, port: int, people: int) -> None:
        apart = get_context("spawn")
        self._is_ready, self._may_begin = apart.Event(), apart.Event()
        arguments = (port, people, self._is_ready, self._may_begin)
        self._process = apart.Process(target=_sign_in_together, args=arguments, daemon=True)

    async def prepare(self) -> None:
        """Wait until all have the form on their screens. May raise BenchmarkError."""
        self._process.start()
        while not self._is_ready.is_set():
            if not self._process.is_alive():
                raise BenchmarkError("people cannot open the form for a password")
            await asyncio.sleep(LOOK_S)

    async def pass_by(self) -> None:
        """Let them sign in, and wait until all are. May raise BenchmarkError: one is not."""
        self._may_begin.set()
        await asyncio.to_thread(self._process.join)
        if self._process.exitcode:
            raise BenchmarkError("a sign-in was refused; the reason is above")


def _sign_in_together(port: int, people: int, is_ready: Event, may_begin: Event) -> None:
    async def sign_in() -> None:
        waiting = [await Person.at(port, number) for number in range(people)]
        is_ready.set()
        await asyncio.to_thread(may_begin.wait)
        await asyncio.gather(*(person.sign_in() for person in waiting))
        for person in waiting:
            await person.leave()

    asyncio.run(sign_in())


async def _turn(fleet: Fleet, server: Competitor, people: int, seconds: float) -> float:
    """Return the 99th percentile of a turn, in ms. It lasts until all people are signed in."""
    wave = Wave(server.port, people)
    await wave.prepare()
    is_over = asyncio.Event()
    polling = asyncio.create_task(fleet.poll(is_over))
    before = cpu_seconds(server.pids)
    await asyncio.sleep(1)
    try:
        await asyncio.gather(wave.pass_by(), asyncio.sleep(seconds))
    finally:
        is_over.set()
        await polling
    if people and cpu_seconds(server.pids) - before < people / 100:
        raise BenchmarkError("the passwords cost no work: the figures mean nothing")
    return percentile(fleet.took, 0.99) * 1000
