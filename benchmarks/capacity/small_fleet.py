"""A small fleet that does everything at once, and what the costs of single operations predict.

Devices poll once a second over kept connections. Meanwhile others log in: each starts, polls three
times, is approved, redeems, and refreshes twice. A person approves one of five on the pages, and
the others are approved in the store.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

from benchmarks.capacity.journey import Measured, grant_of, is_pending, token_of
from benchmarks.capacity.people import Browser
from benchmarks.coldstart import Log, PollingDevice
from benchmarks.grants import Person
from benchmarks.meter import Meter, Usage
from benchmarks.polls import authorization_request, poll_start, refresh_request
from benchmarks.wire import Line

LOGINS = 150
LOGINS_OVER_S = 6.0
SETTLE_S = 2.0
CLOSED_S = 1.5
ALONE_S = 3.0
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
        self._log = Log()
        self.counts: Counter[str] = Counter()

    async def run(self, codes: Sequence[str], logins: int = LOGINS) -> Usage:
        """Run, while the grants `codes` poll; return what was used. May raise BenchmarkError."""
        start = poll_start(self._port)
        devices = [PollingDevice(self._port, start + code.encode(), self._log) for code in codes]
        for number, device in enumerate(devices):
            device.start(number / len(devices))
        await asyncio.sleep(SETTLE_S)
        before, polled = self._meter.read(), len(self._log.answered)
        if logins:
            await asyncio.gather(*(self._login(number, logins) for number in range(logins)))
        else:
            await asyncio.sleep(ALONE_S)
        used = self._meter.since(before)
        self.counts["poll"] += len(self._log.answered) - polled
        self._log.on = False
        for device in devices:
            device.stop()
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
    counts: Mapping[str, int], found: Mapping[str, Measured], idle: Usage, seconds: float
) -> Usage:
    """Return what single operations, so many of each, and an idle server should use together."""
    total = idle.times(seconds)
    for name, many in counts.items():
        total = total.plus(found[name].usage.times(many))
    return total
