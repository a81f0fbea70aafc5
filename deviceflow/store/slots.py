"""Slot numbers and the number of live grants, counted over all workers and hosts.

A slot number spreads live grants evenly over the pace table. The number of live grants, and that
of the wrong codes that people try, decide how long a user code has to be. (A hash slot of a
Redis Cluster is something else, see `keyspace`.)

The rule: a grant is counted, and the count is read, in one step of the store, after the grant was
asked for and before its code is made. So a device that asks after another one was answered never
gets a shorter code, while the number of live grants stays the same. Numbers that are taken ahead
would break the rule, because the count that came with them would be old. A grant needs no round
trip of its own: all grants that wait at the same time share one.

The counts are kept by the minute, in the store only: the numbers count the grants, so it keeps
the last number before each minute. A worker that starts knows them at once, and
a store that lost its data begins with none.
"""

import asyncio
from asyncio import Future
from typing import NamedTuple

from deviceflow.core.clock import Clock
from deviceflow.core.device_code import SLOT_BITS
from deviceflow.store import keyspace, scripts
from deviceflow.store.connection import Connection
from deviceflow.store.errors import own_copy

WRONG_CODES_WINDOW_S = 600
_MINUTE_S = 60
_DAY_S = 86_400
_KEPT_MINUTES = _DAY_S // _MINUTE_S + 1
"""The longest lifetime of a grant is a day."""


class Pressure(NamedTuple):
    """What lengthens user codes. `live`: the grants of the last lifetime; the new one counts.

    `wrong_codes_per_day`: the wrong codes of the last ten minutes, as a rate.
    """

    live: int
    wrong_codes_per_day: float


class Slot(NamedTuple):
    """A slot number that no other grant has, and the pressure when it was taken."""

    number: int
    pressure: Pressure


class Slots:
    """One worker's door to the counters."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        # By lifetime: the grants that the next call is for, and the tasks that make the calls.
        self._waiting: dict[int, list[Future[Slot]]] = {}
        self._serving: dict[int, asyncio.Task[None]] = {}

    async def take(self, lifetime: int) -> Slot:
        """Count a new grant that lives for `lifetime` s. May raise StoreUnavailable.

        A repetition of the command skips numbers, and counts their grants twice for a lifetime.
        """
        future: Future[Slot] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(lifetime, []).append(future)
        if lifetime not in self._serving:
            self._serving[lifetime] = asyncio.create_task(self._serve(lifetime))
        return await future

    async def take_several(self, lifetime: int, number: int) -> list[Slot]:
        """Do the same for `number` grants that wait together."""
        return _slots(await self._count(number, lifetime), number)

    async def pressure(self, lifetime: int) -> Pressure:
        """Return what a new grant would find. May raise StoreUnavailable."""
        counted = await self._count(0, lifetime)
        return _pressure(counted._replace(grants=counted.grants + 1))

    async def live(self) -> int:
        """Return how many grants live now, of all lifetimes together. May raise StoreUnavailable.

        Within the current minute, grants are taken to end evenly.
        """
        now = self._clock()
        minute, into = int(now) // _MINUTE_S, now % _MINUTE_S / _MINUTE_S
        ends: dict[bytes, bytes] = await self._connection.command("HGETALL", keyspace.ENDS)
        counts = {int(end): int(count) for end, count in ends.items()}
        later = sum(count for end, count in counts.items() if end > minute)
        return later + round(counts.get(minute, 0) * (1 - into))

    async def count_wrong_code(self) -> None:
        """Count a user code that leads to no grant. May raise StoreUnavailable."""
        await self._connection.batch(
            ("HINCRBY", keyspace.WRONG_CODES, self._minute(0), 1),
            ("EXPIRE", keyspace.WRONG_CODES, _DAY_S),
        )

    async def wrong_codes(self) -> int:
        """Return how many wrong user codes were tried in the last ten minutes, by all people.

        May raise StoreUnavailable.
        """
        minutes = range(self._minute(WRONG_CODES_WINDOW_S), self._minute(0) + 1)
        counts = await self._connection.command("HMGET", keyspace.WRONG_CODES, *minutes)
        return sum(int(count or 0) for count in counts)

    async def _serve(self, lifetime: int) -> None:
        try:
            while waiting := self._waiting.pop(lifetime, None):
                await self._share(waiting, lifetime)
        finally:
            del self._serving[lifetime]

    async def _share(self, waiting: list[Future[Slot]], lifetime: int) -> None:
        """Give a number to each of `waiting`, or the reason why there is none."""
        try:
            counted = await self._count(len(waiting), lifetime)
        except Exception as error:  # noqa: BLE001, a grant waits for whatever it is
            for future in waiting:
                if not future.done():
                    future.set_exception(own_copy(error))
            return
        for slot, future in zip(_slots(counted, len(waiting)), waiting, strict=True):
            # The task of a device that has gone is done already.
            if not future.done():
                future.set_result(slot)

    async def _count(self, numbers: int, lifetime: int) -> scripts.SlotCounts:
        return await scripts.take_slots(
            self._connection.aside,
            [keyspace.SLOTS, keyspace.MINUTES, keyspace.WRONG_CODES, keyspace.ENDS],
            numbers,
            minute=self._minute(0),
            grants_since=self._minute(lifetime),
            wrong_codes_since=self._minute(WRONG_CODES_WINDOW_S),
            kept=_KEPT_MINUTES,
            end=self._minute(-lifetime),
        )

    def _minute(self, ago: int) -> int:
        return int(self._clock() - ago) // _MINUTE_S


def _slots(counted: scripts.SlotCounts, number: int) -> list[Slot]:
    pressure = _pressure(counted)
    last = counted.last
    return [Slot((last - behind) % (1 << SLOT_BITS), pressure) for behind in range(number)]


def _pressure(counted: scripts.SlotCounts) -> Pressure:
    per_day = counted.wrong_codes * _DAY_S / WRONG_CODES_WINDOW_S
    return Pressure(max(1, counted.grants), per_day)
