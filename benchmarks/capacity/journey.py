"""The operations of a login, one kind at a time: what each costs a worker and the store.

First many of a kind are done at once, so that the worker is awake: what does an operation cost?
Then some are done one after the other: how often does a worker wake up for it that sleeps?
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from benchmarks.capacity.people import Browser
from benchmarks.capacity.random_polls import RandomPolls
from benchmarks.grants import Person
from benchmarks.meter import NOTHING, Meter, Usage
from benchmarks.polls import authorization_request, poll_start, refresh_request
from benchmarks.processes import BenchmarkError
from benchmarks.wire import Answer, send_all, send_apart

IDLE_S = 4.0
HEARD_S = 1.5
"""After a decision: by then, the worker has heard of it."""

HELD_S = 1
AT_A_TIME = 8
WARM_UP = 200
FEW = 8
"""Connections for starts: a server under pressure would refuse some of many."""

SETTLE_S = 1.0
RANDOM_S = 2.0


class Counts(NamedTuple):
    """How many of each to measure."""

    grants: int = 800
    polls: int = 10_000
    apart: int = 1_500
    held: int = 400
    approvals: int = 60
    people: int = 12
    alone: int = 40
    held_alone: int = 4


class Measured(msgspec.Struct, frozen=True):
    """What one operation of a kind uses, beside what an idle server does, and its bytes.

    `wakes`: how often a worker wakes up for it that has nothing else to do.
    """

    usage: Usage
    network_bytes: float
    wakes: float = 0.0

    def awake(self, wake_us: float) -> "Measured":
        """Return the same without the cost of waking up, which is `wake_us` each time."""
        usage = self.usage
        server_us = max(0.0, usage.server_us - usage.wakes * wake_us)
        usage = msgspec.structs.replace(usage, server_us=server_us, wakes=0.0)
        return msgspec.structs.replace(self, usage=usage)

    def times(self, factor: float) -> "Measured":
        """Return the same with so many times the CPU time of the server."""
        usage = msgspec.structs.replace(self.usage, server_us=self.usage.server_us * factor)
        return msgspec.structs.replace(self, usage=usage)


class Journey:
    """Measures one kind of operation after the other.

    `found`: by kind. `idle`: what the server and the store do in a second without a request.
    `browsers`: of people who have signed in.
    """

    def __init__(self, port: int, meter: Meter, person: Person, counts: Counts) -> None:
        self._port, self._meter, self._person, self._counts = port, meter, person, counts
        self.idle = NOTHING
        self.found: dict[str, Measured] = {}
        self.browsers: list[Browser] = []

    async def run(self, now: Callable[[str], None]) -> None:
        """Measure all the rest. `now` shows what is measured. May raise BenchmarkError."""
        counts = self._counts
        now("starts")
        grants = await self._starts()
        now("polls")
        codes = [grant["device_code"] for grant in grants]
        await self._polls(codes)
        now("pages")
        user_codes = [grant["user_code"] for grant in grants[: counts.approvals]]
        await self._measure("approval", len(user_codes), self._on_pages(user_codes))
        self._note_wakes("approval", self.found["approval"].usage)
        now("decisions, redemptions, refreshes")
        await self._tokens(grants[counts.approvals :])

    async def begin(self) -> None:
        """Do all once, measure what an idle server does, and let people sign in.

        May raise BenchmarkError.
        """
        await self._warm_up()
        before = self._meter.read()
        await asyncio.sleep(IDLE_S)
        used = self._meter.since(before)
        self.idle = used.times(1 / used.seconds)
        self.browsers = [Browser(self._port) for _ in range(self._counts.people)]
        await self._measure("password", len(self.browsers), self._sign_in())
        self._note_wakes("password", self.found["password"].usage)

    async def burst(self, codes: Sequence[str], polls: int) -> float:
        """Return the server's CPU time of a poll, in us, while polls come as fast as they can."""
        start = poll_start(self._port)
        requests = [start + codes[i % len(codes)].encode() for i in range(polls)]
        before = self._meter.read()
        _check_pending(await send_all(self._port, requests))
        return self._mean_since(before, polls).server_us

    async def at_random(self, codes: Sequence[str], rate: float) -> float:
        """Return the same while `rate` polls come in a second, at random moments.

        May raise BenchmarkError.
        """
        async with RandomPolls.open(self._port, codes, rate) as polls:
            await asyncio.sleep(SETTLE_S)
            before, answered = self._meter.read(), polls.answered
            await asyncio.sleep(RANDOM_S)
            return self._mean_since(before, polls.answered - answered).server_us

    def _mean_since(self, before: Usage, many: int) -> Usage:
        """Return what one of `many` operations used since then, beside what an idle server does."""
        used = self._meter.since(before)
        return used.minus(self.idle.times(used.seconds)).times(1 / many)

    async def _warm_up(self) -> None:
        """Do everything once, so that nothing is done for the first time later."""
        requests = [authorization_request(self._port)] * WARM_UP
        grants = [grant_of(each) for each in await send_all(self._port, requests, FEW)]
        await self._approve([grant["user_code"] for grant in grants])
        tokens = await self._redeem([grant["device_code"] for grant in grants])
        await send_all(self._port, [refresh_request(self._port, each) for each in tokens])

    async def _measure(self, name: str, many: int, doing: Awaitable[int]) -> None:
        """Measure `many` operations, which return their bytes, and note the mean of one."""
        before = self._meter.read()
        size = await doing
        self.found[name] = Measured(self._mean_since(before, many), size / many)

    async def _one_by_one(self, name: str, many: int, doing: Awaitable[Any]) -> None:
        """Note how often a worker wakes up for one of `many` operations that come one by one."""
        before = self._meter.read()
        await doing
        self._note_wakes(name, self._mean_since(before, many))

    def _note_wakes(self, name: str, alone: Usage) -> None:
        """Note how often a worker woke up for an operation that was `alone`."""
        self.found[name] = msgspec.structs.replace(self.found[name], wakes=max(0.0, alone.wakes))

    async def _send(
        self, name: str, requests: Sequence[bytes], sending: Awaitable[list[Answer]]
    ) -> list[Answer]:
        """Measure a request of this kind, and return the answers."""
        answers: list[Answer] = []

        async def send() -> int:
            answers.extend(await sending)
            return sum(answer.size for answer in answers)

        await self._measure(name, len(requests), send())
        return answers

    async def _starts(self) -> list[dict[str, str]]:
        requests = [authorization_request(self._port)] * self._counts.grants
        answers = await self._send("start", requests, send_all(self._port, requests, FEW))
        few = requests[: self._counts.alone]
        await self._one_by_one("start", len(few), send_all(self._port, few, 1))
        return [grant_of(answer) for answer in answers]

    async def _polls(self, codes: list[str]) -> None:
        counts, port = self._counts, self._port
        kept = [poll_start(port) + codes[i % len(codes)].encode() for i in range(counts.polls)]
        _check_pending(await self._send("poll", kept, send_all(port, kept)))
        few = kept[: counts.alone]
        await self._one_by_one("poll", len(few), send_all(port, few, 1))
        close = poll_start(port, close=True)
        apart = [close + codes[i % len(codes)].encode() for i in range(counts.apart)]
        _check_pending(await self._send("poll_connecting", apart, send_apart(port, apart)))
        few = apart[: counts.alone]
        await self._one_by_one("poll_connecting", len(few), send_apart(port, few, 1))
        # Slower than the interval now, so that each poll is held and not too fast.
        await asyncio.sleep(2)
        start = poll_start(port, wait=HELD_S)
        held = [start + code.encode() for code in codes[: counts.held]]
        _check_pending(await self._send("held_poll", held, send_all(port, held, len(held))))
        few = [start + code.encode() for code in codes[counts.held :][: counts.held_alone]]
        await self._one_by_one("held_poll", len(few), send_all(port, few, 1))

    async def _sign_in(self) -> int:
        for number, browser in enumerate(self.browsers):
            await browser.sign_in(f"person-{number}")
        return sum(browser.size for browser in self.browsers)

    async def _on_pages(self, user_codes: list[str]) -> int:
        before = sum(browser.size for browser in self.browsers)
        for number, code in enumerate(user_codes):
            await self.browsers[number % len(self.browsers)].approve(code)
        return sum(browser.size for browser in self.browsers) - before

    async def _tokens(self, grants: list[dict[str, str]]) -> None:
        port, alone = self._port, self._counts.alone
        user_codes = [grant["user_code"] for grant in grants]
        few, most = user_codes[:alone], user_codes[alone:]
        await self._measure("decision", len(most), self._approve(most))
        await self._one_by_one("decision", len(few), self._approve(few, at_a_time=1))
        start = poll_start(port)
        requests = [start + grant["device_code"].encode() for grant in grants]
        tokens = [token_of(answer) for answer in await self._both_ways("redemption", requests)]
        requests = [refresh_request(port, token) for token in tokens]
        for answer in await self._both_ways("refresh", requests):
            token_of(answer)

    async def _both_ways(self, name: str, requests: Sequence[bytes]) -> list[Answer]:
        """Measure requests of a kind, most of them at once, and the first ones one by one."""
        few, most = requests[: self._counts.alone], requests[self._counts.alone :]
        answers = await self._send(name, most, send_all(self._port, most))
        alone = asyncio.ensure_future(send_all(self._port, few, 1))
        await self._one_by_one(name, len(few), alone)
        return [*alone.result(), *answers]

    async def _approve(self, user_codes: list[str], at_a_time: int = AT_A_TIME) -> int:
        """Approve in the store, some at a time; return 0, for no device has sent anything."""
        left = iter(user_codes)

        async def work() -> None:
            for code in left:
                # People see it in groups; the store has it without.
                await self._person.approve(await self._person.claim(code.replace("-", "")))

        await asyncio.gather(*(work() for _ in range(at_a_time)))
        await asyncio.sleep(HEARD_S)
        return 0

    async def _redeem(self, codes: list[str]) -> list[str]:
        start = poll_start(self._port)
        answers = await send_all(self._port, [start + code.encode() for code in codes])
        return [token_of(answer) for answer in answers]


def grant_of(answer: Answer) -> dict[str, str]:
    """Return the codes of a started grant. May raise BenchmarkError."""
    body: dict[str, str] = json.loads(answer.body)
    if "device_code" not in body:
        raise BenchmarkError(f"a start was refused: {body.get('error')}; is the machine too busy?")
    return body


def token_of(answer: Answer) -> str:
    """Return the refresh token of an answer. May raise BenchmarkError."""
    body: dict[str, str] = json.loads(answer.body)
    if "refresh_token" not in body:
        raise BenchmarkError(f"a device got no refresh token: {body.get('error')}")
    return body["refresh_token"]


def is_pending(answer: Answer) -> bool:
    """Return whether a poll was answered as that of a pending grant."""
    return b"authorization_pending" in answer.body or b"slow_down" in answer.body


def _check_pending(answers: Sequence[Answer]) -> None:
    for answer in answers:
        if not is_pending(answer):
            raise BenchmarkError(f"a poll was answered: {answer.body.decode()}")
