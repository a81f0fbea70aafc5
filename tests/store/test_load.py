"""How much the store has to do, and what that stops."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any
from unittest import mock

import pytest
from structlog.testing import capture_logs

from deviceflow.core.user_code import UserCodeFormat
from deviceflow.store.connection import Connection
from deviceflow.store.errors import StoreUnavailable
from deviceflow.store.installation import Installation
from deviceflow.store.load import LONGEST_WAIT_S, SLOW_S, LoadState, StoreLoad
from deviceflow.store.shapes import Command
from tests.stage.clock import Clock
from tests.stage.shapes import not_on
from tests.stage.store import Store
from tests.stage.valkey import Valkey
from tests.stage.waiting import until

MEGABYTE = 2**20


class Steady(Clock):
    """A clock of which each reading takes `step` s."""

    step = 0.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


@pytest.fixture
def steady() -> Steady:
    return Steady(0)


@pytest.fixture
def load(connection: Connection, steady: Steady) -> StoreLoad:
    return StoreLoad(connection=connection, full_at=0.8, steady=steady)


def memory(*used: int, most: int = 100) -> AbstractContextManager[object]:
    """What the primaries say: how much each uses, of so much."""
    answers = {str(number): {"used_memory": u, "maxmemory": most} for number, u in enumerate(used)}
    return mock.patch.object(Connection, "everywhere", mock.AsyncMock(return_value=answers))


async def states(load: StoreLoad, *used: int) -> list[LoadState]:
    """The states after looks at a store that uses so much of 100."""
    found = []
    for each in used:
        with memory(each):
            await load.look()
        found.append(load.state)
    return found


async def test_what_a_real_store_says(load: StoreLoad, valkey: Valkey) -> None:
    await load.look()
    assert load.used_bytes > MEGABYTE / 2
    without_limit = (load.max_bytes, load.state)
    assert without_limit == (0, "")
    with valkey.client() as client:
        client.config_set("maxmemory", load.used_bytes)
        try:
            await load.look()
        finally:
            client.config_set("maxmemory", 0)
    assert load.max_bytes > MEGABYTE / 2
    assert load.state == "nearly full"


async def test_memory(load: StoreLoad) -> None:
    """Nearly full from 80 % on, and until 75 %."""
    full = "nearly full"
    assert await states(load, 70, 80, 81, 76, 75, 80) == ["", "", full, full, "", ""]


async def test_the_fullest_primary_counts(load: StoreLoad) -> None:
    with memory(10, 90, 20):
        await load.look()
    assert (load.used_bytes, load.state) == (90, "nearly full")


async def test_the_log_has_a_line_when_it_begins_and_one_when_it_ends(load: StoreLoad) -> None:
    with capture_logs() as lines:
        for each in (70, 90, 95, 90, 50, 50):
            if await states(load, each) != [""]:
                load.note_refusal()
    assert [line["event"] for line in lines] == ["store.pressed", "store.relieved"]
    assert lines[0]["reason"] == "nearly full"
    assert lines[1]["refused"] == 3


async def test_two_slow_looks(load: StoreLoad, steady: Steady) -> None:
    """One alone may be a fork of the store."""
    found = []
    for seconds in (0.0, 2 * SLOW_S, 0.0, 2 * SLOW_S, 2 * SLOW_S, 0.0):
        steady.step = seconds
        found += await states(load, 1)
    assert found == ["", "", "", "", "slow", ""]


async def test_while_the_store_is_away_the_last_look_holds(load: StoreLoad) -> None:
    await states(load, 90)
    with mock.patch.object(load.connection, "everywhere", side_effect=StoreUnavailable("away")):
        await load.look()
    assert load.state == "nearly full"


async def test_without_the_limit_a_full_store_stops_nothing(
    connection: Connection, steady: Steady
) -> None:
    load = StoreLoad(connection=connection, full_at=0, steady=steady)
    assert await states(load, 99) == [""]


@not_on("cluster", why="callers share no trips there")
async def test_starts_that_wait_hold_up_nothing_else(valkey: Valkey, clock: Clock) -> None:
    """While every trip for starts is held up, a decision makes its own."""
    connection = Connection.open(valkey.url, most=4)
    try:
        store = Store(connection, await Installation.open(connection), clock)
        load = StoreLoad(connection=connection, full_at=0.8, steady=clock)
        grant = await store.grant()
        async with taken(connection.aside):
            start = asyncio.create_task(
                store.grants.issue(store.request(), UserCodeFormat(), 600, 5)
            )
            assert (await store.read(grant)).id == grant.id
            await store.grants.claim(grant, "sub-ada")
            assert not start.done()
            await until(lambda: connection.aside.longest_wait_s > 0)
            loop = asyncio.get_running_loop()
            with mock.patch.object(loop, "time", return_value=loop.time() + LONGEST_WAIT_S):
                pressed = load.state
        assert await start
        assert pressed == "slow"
        assert connection.aside.longest_wait_s == 0
    finally:
        await connection.close()


@not_on("cluster", why="callers share no trips there")
async def test_a_start_takes_several_trips_and_none_of_them_may_take_too_long(
    valkey: Valkey, clock: Clock
) -> None:
    connection = Connection.open(valkey.url)
    pressure = StoreLoad(connection=connection, full_at=0.8, steady=clock)
    states: list[LoadState] = []
    loop = asyncio.get_running_loop()
    began, later_s, run = loop.time(), 0.0, connection.aside._run

    def now() -> float:
        return began + later_s

    async def slow(commands: Sequence[Command]) -> list[Any]:
        nonlocal later_s
        later_s += 0.6 * LONGEST_WAIT_S  # two take too long, together
        states.append(pressure.state)
        return await run(commands)

    try:
        store = Store(connection, await Installation.open(connection), clock)
        with (
            mock.patch.object(connection.aside._trips, "_run", slow),
            mock.patch.object(loop, "time", now),
        ):
            await store.grants.issue(store.request(), UserCodeFormat(), 600, 5)
        assert len(states) >= 2
        assert set(states) == {""}
    finally:
        await connection.close()


@asynccontextmanager
async def taken(connection: Connection) -> AsyncIterator[None]:
    """Hold up every trip of a connection."""
    over = asyncio.Event()
    run = connection._run

    async def held_up(commands: Sequence[Command]) -> list[Any]:
        await over.wait()
        return await run(commands)

    with mock.patch.object(connection._trips, "_run", held_up):
        try:
            yield
        finally:
            over.set()
