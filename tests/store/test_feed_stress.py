"""The feed under load: many decisions at once, and at the worst moments."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from functools import partial
from itertools import pairwise

import pytest

from deviceflow.core.grant import State
from deviceflow.store.announcements import Decision, push
from deviceflow.store.errors import StoreUnavailable
from deviceflow.store.log_reader import PAGE
from deviceflow.tasks import end
from tests.stage.clock import Clock
from tests.stage.shapes import many, not_on
from tests.stage.store import LIFETIME_S, Store, log
from tests.stage.valkey import Valkey, open_connection
from tests.stage.waiting import next_catch_up, subscribed, until

MakeStore = Callable[[], Awaitable[Store]]

DECISIONS = 2000
LOGGED = many(100_000)


async def log_and_push(store: Store, numbers: Iterable[int], *, pushed: bool = True) -> None:
    """Decide grants as another worker would, as far as the mirrors can see."""
    ends = int(store.clock()) + LIFETIME_S
    numbers = tuple(numbers)
    await log(store, (("*", "g", f"{number:x}", "x", ends) for number in numbers))
    if pushed:
        for number in numbers:
            await push(store.connection, Decision(number, State.DENIED, ends).message)


async def decide_steadily(store: Store, first: int, count: int) -> None:
    for number in range(first, first + count, 20):
        await persistently(partial(log_and_push, store, range(number, number + 20)))
        await asyncio.sleep(0.002)


async def persistently(act: Callable[[], Awaitable[None]]) -> None:
    """Do `act` until it succeeds: a test's own connections may be among those that are killed."""
    while True:
        with suppress(StoreUnavailable):
            await act()
            return


@pytest.fixture
async def worker(another: MakeStore) -> Store:
    """Another worker, which is not fed yet."""
    return await another()


async def test_decisions_during_the_start(store: Store, worker: Store) -> None:
    """Before, while and after it begins to listen and reads the log: none is missed."""
    await log_and_push(store, range(LOGGED // 10))
    deciding = asyncio.create_task(decide_steadily(store, LOGGED, DECISIONS))
    async with worker.fed():
        await deciding
        await next_catch_up(worker.feed)
        assert len(worker.mirror) == LOGGED // 10 + DECISIONS


@pytest.mark.parametrize(
    "kind",
    [
        "pubsub",
        pytest.param(
            "normal",
            marks=not_on("sentinel", why="the Sentinels, too, lose theirs, and see it as dead"),
        ),
    ],
)
async def test_decisions_while_connections_are_killed(
    store: Store, worker: Store, valkey: Valkey, kind: str
) -> None:
    async with worker.fed():
        await until(lambda: worker.feed.reachable)
        async with killing(valkey, kind):
            await decide_steadily(store, 0, DECISIONS)
        await next_catch_up(worker.feed)
        assert len(worker.mirror) == DECISIONS
        # Whatever was only hinted at meanwhile: the subscription is alive again.
        await persistently(partial(subscribed, store.connection))
        await persistently(partial(log_and_push, store, [DECISIONS]))
        await until(lambda: worker.mirror.state_of(DECISIONS) is State.DENIED)


async def test_a_hint_that_comes_after_the_message_changes_nothing(
    store: Store, worker: Store
) -> None:
    """Messages for what the catch-up is reading just now: the decision stays."""
    await log_and_push(store, range(LOGGED // 5), pushed=False)
    ends = int(store.clock()) + LIFETIME_S
    catching_up = asyncio.create_task(worker.feed.catch_up())
    for number in range(0, LOGGED // 5, 100):
        worker.mirror.learn(number, State.DENIED, ends)
        await asyncio.sleep(0)
    await catching_up
    states = [worker.mirror.state_of(number) for number in range(LOGGED // 5)]
    assert states[::100] == [State.DENIED] * (LOGGED // 500)
    assert None in states
    assert State.PENDING not in states


async def test_a_long_log_does_not_stop_the_worker(store: Store, worker: Store) -> None:
    for first in range(0, LOGGED, 10_000):
        await log_and_push(store, range(first, first + 10_000), pushed=False)
    known: list[int] = []
    async with each_turn(lambda: known.append(len(worker.mirror))):
        await worker.feed.catch_up()
    assert len(worker.mirror) == LOGGED
    # Between two turns of the loop, one page at most was taken in.
    steps = [after - before for before, after in pairwise([*known, LOGGED])]
    assert max(steps) == PAGE


async def test_a_log_of_grants_that_have_ended_costs_no_memory(
    store: Store, worker: Store, clock: Clock
) -> None:
    """It reaches back a day, a grant lives for ten minutes."""
    await log_and_push(store, range(LOGGED // 10), pushed=False)
    clock.advance(LIFETIME_S)
    await log_and_push(store, [LOGGED], pushed=False)
    await worker.feed.catch_up()
    assert len(worker.mirror) == 1


@asynccontextmanager
async def each_turn(act: Callable[[], None]) -> AsyncIterator[None]:
    """Do `act` whenever the loop lets others have a turn."""

    async def take_turns() -> None:
        while True:
            act()
            await asyncio.sleep(0)

    task = asyncio.create_task(take_turns())
    await asyncio.sleep(0)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def killing(valkey: Valkey, kind: str) -> AsyncIterator[None]:
    """All connections of that kind are killed, again and again."""
    connection = open_connection(valkey.url)

    async def kill() -> None:
        while True:
            await connection.command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
            await asyncio.sleep(0.05)

    task = asyncio.create_task(kill())
    try:
        yield
        assert not task.done()
    finally:
        await end(task)
        await connection.close()
