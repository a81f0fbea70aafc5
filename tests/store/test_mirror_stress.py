"""The mirror under load: many decisions at once, at the worst moments, and for a long time."""

import asyncio
import gc
import sys
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress

import pytest

from deviceflow.core.grant import State
from deviceflow.store.changes import CHANNEL
from deviceflow.store.connection import Connection
from deviceflow.store.mirror import CATCH_UP_S, LOG_KEY, announcement
from tests.stage.clock import Clock
from tests.stage.store import LIFETIME_S, Store
from tests.stage.valkey import Valkey
from tests.stage.waiting import PATIENCE_S, until

MakeStore = Callable[[], Awaitable[Store]]

DECISIONS = 2000
LIVE = 200_000
LOGGED = 100_000
BYTES_A_DECISION = 300
LONGEST_GAP_S = 0.5
SLACK_S = 1.0


async def log_and_push(store: Store, numbers: Iterable[int], *, pushed: bool = True) -> None:
    """Decide grants as another worker would, as far as the mirrors can see."""
    ends = int(store.clock()) + LIFETIME_S
    async with store.connection.pipeline() as pipe:
        for number in numbers:
            pipe.xadd(LOG_KEY, {"g": f"{number:x}", "x": str(ends)})
            if pushed:
                pipe.publish(CHANNEL, announcement(number, State.DENIED, ends))
        pipe.expire(LOG_KEY, 60)
        await pipe.execute()


async def decide_steadily(store: Store, first: int, count: int) -> None:
    for number in range(first, first + count, 20):
        await log_and_push(store, range(number, number + 20))
        await asyncio.sleep(0.002)


@pytest.fixture
async def worker(another: MakeStore) -> Store:
    """Another worker, whose mirror nobody feeds yet."""
    return await another()


async def test_decisions_during_the_start(store: Store, worker: Store) -> None:
    """Before, while and after it begins to listen and reads the log: none is missed."""
    await log_and_push(store, range(LOGGED // 10))
    deciding = asyncio.create_task(decide_steadily(store, LOGGED, DECISIONS))
    async with worker.fed():
        await deciding
        await until(lambda: len(worker.mirror) == LOGGED // 10 + DECISIONS, CATCH_UP_S + SLACK_S)


@pytest.mark.parametrize("kind", ["pubsub", "normal"])
async def test_decisions_while_connections_are_killed(
    store: Store, worker: Store, valkey: Valkey, kind: str
) -> None:
    async with worker.fed():
        await until(lambda: worker.mirror.reachable)
        async with killing(valkey, kind):
            await decide_steadily(store, 0, DECISIONS)
        await until(lambda: len(worker.mirror) == DECISIONS, CATCH_UP_S + SLACK_S)
        # Whatever was only hinted at meanwhile: the subscription is alive again.
        await until(lambda: worker.mirror.reachable)
        await until_listening(store)
        await log_and_push(store, [DECISIONS])
        await until(lambda: worker.mirror.state_of(DECISIONS) is State.DENIED, SLACK_S)


async def test_a_hint_that_comes_after_the_message_changes_nothing(
    store: Store, worker: Store
) -> None:
    """Messages for what the catch-up is reading just now: the decision stays."""
    await log_and_push(store, range(LOGGED // 5), pushed=False)
    ends = int(store.clock()) + LIFETIME_S
    catching_up = asyncio.create_task(worker.mirror.catch_up())
    for number in range(0, LOGGED // 5, 100):
        worker.mirror.learn(number, State.DENIED, ends)
        await asyncio.sleep(0)
    await catching_up
    states = [worker.mirror.state_of(number) for number in range(LOGGED // 5)]
    assert states[::100] == [State.DENIED] * (LOGGED // 500)
    assert None in states
    assert State.PENDING not in states


async def test_two_hundred_thousand_live_decisions(store: Store, clock: Clock) -> None:
    """Each costs so many bytes while its grant lives, and none afterwards."""
    now = int(clock())
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(LIVE):
            store.mirror.learn(number << 24 | 5, State.APPROVED, now + number % LIFETIME_S)
        learned, _ = tracemalloc.get_traced_memory()
        assert len(store.mirror) == LIVE
        assert (learned - before) / LIVE < BYTES_A_DECISION
        clock.advance(LIFETIME_S / 2)
        store.mirror.forget_expired()
        # Buckets are dropped whole, and only when the last grant in them has ended.
        assert LIVE * 0.49 < len(store.mirror) < LIVE * 0.54
        clock.advance(LIFETIME_S / 2 + 32)
        store.mirror.forget_expired()
        assert len(store.mirror) == 0
        assert not store.mirror._ends
        store.mirror.learn(1, State.DENIED, int(clock()) + 60)
        left, _ = tracemalloc.get_traced_memory()
        # A dict keeps the table of its largest size, for what comes next.
        left -= sys.getsizeof(store.mirror._states)
        assert left - before < (learned - before) / 20
    finally:
        tracemalloc.stop()


async def test_a_long_log_does_not_stop_the_worker(store: Store, worker: Store) -> None:
    for first in range(0, LOGGED, 10_000):
        await log_and_push(store, range(first, first + 10_000), pushed=False)
    # What the other tests have left in memory is not this one's to collect.
    gc.freeze()
    try:
        async with ticking() as gaps:
            await worker.mirror.catch_up()
    finally:
        gc.unfreeze()
    assert len(worker.mirror) == LOGGED
    assert len(gaps) > 10
    assert max(gaps) < LONGEST_GAP_S


async def test_a_log_of_grants_that_have_ended_costs_no_memory(
    store: Store, worker: Store, clock: Clock
) -> None:
    """It reaches back a day, a grant lives for ten minutes."""
    await log_and_push(store, range(LOGGED // 10), pushed=False)
    clock.advance(LIFETIME_S)
    await log_and_push(store, [LOGGED], pushed=False)
    await worker.mirror.catch_up()
    assert len(worker.mirror) == 1


@asynccontextmanager
async def ticking() -> AsyncIterator[list[float]]:
    """How long the loop let others wait, each time, in s of work: other processes do not count."""
    gaps: list[float] = []

    async def tick() -> None:
        last = time.thread_time()
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            gaps.append(now - last)
            last = now

    task = asyncio.create_task(tick())
    await asyncio.sleep(0)
    try:
        yield gaps
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def killing(valkey: Valkey, kind: str) -> AsyncIterator[None]:
    """All connections of that kind are killed, again and again."""
    connection = Connection.open(valkey.url)

    async def kill() -> None:
        while True:
            await connection.command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
            await asyncio.sleep(0.05)

    task = asyncio.create_task(kill())
    try:
        yield
        assert not task.done()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await connection.close()


async def until_listening(store: Store) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while (await store.connection.command("PUBSUB", "NUMSUB", CHANNEL))[1] == 0:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
