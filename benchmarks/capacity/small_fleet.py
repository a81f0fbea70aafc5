"""A small fleet that does everything at once, and what the costs of single operations predict.

Devices poll at random moments over kept connections. Meanwhile others log in: each starts, polls
three times, is approved, redeems, and refreshes twice. A person approves one of five on the pages,
and the others are approved in the store.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from benchmarks.capacity.journey import Measured, grant_of, is_pending, token_of
from benchmarks.capacity.people import Browser
from benchmarks.capacity.random_polls import RandomPolls
from benchmarks.grants import Person
from benchmarks.meter import Meter, Usage
from benchmarks.polls import authorization_request, poll_start, refresh_request
from benchmarks.wire import Line
from deviceflow.capacity.work import US, spent_waking

LOGINS = 150
LOGINS_OVER_S = 6.0
SETTLE_S = 2.0
CLOSED_S = 1.5
POLLS, POLL_EVERY_S = 3, 0.3
REFRESHES = 2
HEARD_S = 0.1
ON_PAGES = 5


class SmallFleet:
    """The fleet. `counts`: what it has done, by the names of the operations."""

    def __init__(
        self, port: int, meter: Meter, person: Person, browsers: Sequence[Browser]
    ) -> None:
        self._port, self._meter, self._person = port, meter, person
        self._browsers = browsers
        self._turns = [asyncio.Lock() for _ in browsers]
        self.counts: Counter[str] = Counter()

    async def run(self, codes: Sequence[str], logins: int = LOGINS) -> Usage:
        """Run, while each of the grants `codes` polls once a second; return what was used.

        May raise BenchmarkError.
        """
        async with RandomPolls.open(self._port, codes, len(codes)) as polls:
            await asyncio.sleep(SETTLE_S)
            before, polled = self._meter.read(), polls.answered
            await asyncio.gather(*(self._login(number, logins) for number in range(logins)))
            used = self._meter.since(before)
            self.counts["poll"] += polls.answered - polled
        # The server has thousands of connections to close, which is no part of what comes next.
        await asyncio.sleep(CLOSED_S)
        return used

    async def _login(self, number: int, logins: int) -> None:
        await asyncio.sleep(LOGINS_OVER_S * number / logins)
        line = await Line.open(self._port)
        grant = grant_of(await line.send(authorization_request(self._port)))
        poll = poll_start(self._port) + grant["device_code"].encode()
        for _ in range(POLLS):
            await line.send(poll)
            await asyncio.sleep(POLL_EVERY_S)
        await self._approve(number, grant["user_code"])
        answer = await line.send(poll)
        while is_pending(answer):
            # The worker has not heard of the decision yet.
            self.counts["poll"] += 1
            await asyncio.sleep(HEARD_S)
            answer = await line.send(poll)
        token = token_of(answer)
        for _ in range(REFRESHES):
            token = token_of(await line.send(refresh_request(self._port, token)))
        line.close()
        self.counts.update(start=1, poll=POLLS, redemption=1, refresh=REFRESHES)

    async def _approve(self, number: int, user_code: str) -> None:
        if number % ON_PAGES:
            await self._person.approve(await self._person.claim(user_code.replace("-", "")))
            self.counts["decision"] += 1
            return
        place = number // ON_PAGES % len(self._browsers)
        # A browser has one connection here, and one page at a time.
        async with self._turns[place]:
            await self._browsers[place].approve(user_code)
        self.counts["approval"] += 1


def predicted(
    counts: Mapping[str, int],
    found: Mapping[str, Measured],
    idle: Usage,
    seconds: float,
    wake_us: float,
) -> Usage:
    """Return what single operations, so many of each, and an idle server should use together.

    `found`: what operations cost a worker that is awake; `wake_us`: what it costs to wake up.
    """
    total, wakes = idle.times(seconds), 0.0
    for name, many in counts.items():
        total = total.plus(found[name].usage.times(many))
        wakes += found[name].wakes * many
    second_us = seconds / US
    waking = spent_waking(total.server_us / second_us, wakes * wake_us / second_us)
    return msgspec.structs.replace(total, server_us=total.server_us + waking * second_us)
