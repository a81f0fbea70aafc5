"""The mirror: every decision reaches it, at once or by the catch-up a second later."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from unittest import mock

import pytest

from deviceflow.core.grant import Event, Outcome, State
from deviceflow.store import mirror as mirror_module
from deviceflow.store.changes import CHANNEL
from deviceflow.store.connection import Connection
from deviceflow.store.grants import Grants
from deviceflow.store.mirror import CATCH_UP_S, LOG_KEY, PAGE, Mirror, announcement
from tests.stage.clock import Clock
from tests.stage.store import ADA, LIFETIME_S, Store
from tests.stage.waiting import decision, until

MakeStore = Callable[[], Awaitable[Store]]


@pytest.fixture
async def worker(another: MakeStore) -> AsyncIterator[Store]:
    """Another worker, whose mirror is fed; it listens when the test begins."""
    worker = await another()
    async with worker.fed():
        await until(lambda: worker.mirror.reachable)
        await subscribed(worker.connection)
        yield worker


@pytest.fixture
def _no_push() -> Iterator[None]:
    """Every push message is lost."""
    with mock.patch.object(Grants, "_announce", mock.AsyncMock()):
        yield


async def subscribed(connection: Connection, count: int = 1) -> None:
    """Wait until so many listen."""
    async with asyncio.timeout(10):
        while (await connection.command("PUBSUB", "NUMSUB", CHANNEL))[1] < count:
            await connection.command("PING")


async def hears_of_a_cancellation(store: Store, worker: Store) -> None:
    """Whoever waits at `worker` is told what is decided elsewhere."""
    grant = await store.grant()
    waiting = asyncio.create_task(decision(worker.mirror, grant.id))
    await asyncio.sleep(0)
    await store.grants.decide(grant, Event.CANCEL)
    assert await waiting is State.CANCELLED


async def test_pending_is_the_absence_of_a_decision(store: Store) -> None:
    assert store.mirror.state_of(1) is State.PENDING
    assert len(store.mirror) == 0


@pytest.mark.parametrize(
    ("event", "state"),
    [
        (Event.APPROVE, State.APPROVED),
        (Event.DENY, State.DENIED),
        (Event.CANCEL, State.CANCELLED),
    ],
)
async def test_a_decision_reaches_another_worker_at_once(
    store: Store, worker: Store, event: Event, state: State
) -> None:
    grant = await store.grant()
    await store.grants.claim(grant, ADA.sub)
    with mock.patch.object(Mirror, "catch_up", mock.AsyncMock()):
        waiting = asyncio.create_task(decision(worker.mirror, grant.id))
        assert await store.grants.decide(grant, event, ADA) is Outcome.CHANGED
        assert await waiting is state
    assert worker.mirror.state_of(grant.id) is state


async def test_a_redemption_reaches_another_worker_at_once(store: Store, worker: Store) -> None:
    grant = await store.approved()
    await until(lambda: worker.mirror.state_of(grant.id) is State.APPROVED)
    assert await store.grants.redeem(grant, None) is Outcome.CHANGED
    await until(lambda: worker.mirror.state_of(grant.id) is State.REDEEMED)


@pytest.mark.usefixtures("_no_push")
async def test_a_lost_message_costs_a_second_at_most(store: Store, worker: Store) -> None:
    grant = await store.approved()
    since = time.monotonic()
    await until(lambda: worker.mirror.state_of(grant.id) is None)
    assert time.monotonic() - since < CATCH_UP_S + 0.5
    assert await worker.grants.state_of(grant.id) is State.APPROVED


@pytest.mark.usefixtures("_no_push")
async def test_who_is_held_hears_of_a_decision_whose_message_was_lost(
    store: Store, worker: Store
) -> None:
    worker.mirror.resolve = worker.grants.state_of
    with mock.patch.object(mirror_module, "CATCH_UP_S", 0.01):
        await hears_of_a_cancellation(store, worker)


async def test_a_decider_that_dies_after_the_hint_leaves_a_hint_that_stays(
    store: Store, worker: Store
) -> None:
    """A hint without a change makes polls of that grant ask the store, and no more."""
    grant = await store.grant()
    await store.grants._hint(grant)
    await until(lambda: worker.mirror.state_of(grant.id) is None)
    await worker.mirror.catch_up()
    assert worker.mirror.state_of(grant.id) is None
    assert await worker.grants.state_of(grant.id) is State.PENDING


@pytest.mark.usefixtures("_no_push")
async def test_a_decider_that_dies_before_the_message_is_heard_of(
    store: Store, worker: Store
) -> None:
    grant = await store.grant()
    await store.grants.decide(grant, Event.CANCEL)
    await until(lambda: worker.mirror.state_of(grant.id) is None)
    assert await worker.grants.state_of(grant.id) is State.CANCELLED


async def test_a_hint_never_replaces_a_decision(store: Store) -> None:
    grant = await store.approved()
    store.mirror.learn(grant.id, None, grant.expires_at)
    await store.mirror.catch_up()
    assert store.mirror.state_of(grant.id) is State.APPROVED


async def test_a_decision_replaces_a_hint(store: Store) -> None:
    store.mirror.learn(7, None, int(store.clock()) + 60)
    store.mirror.learn(7, State.DENIED, int(store.clock()) + 60)
    assert store.mirror.state_of(7) is State.DENIED
    assert len(store.mirror) == 1


async def test_a_killed_subscription_is_made_anew(store: Store, worker: Store) -> None:
    """What was decided meanwhile is in the log; what is decided later is pushed."""
    missed = await store.grant()
    killed = await store.connection.command("CLIENT", "KILL", "TYPE", "pubsub")
    assert killed == 1
    await store.grants.decide(missed, Event.CANCEL)
    await until(lambda: worker.mirror.state_of(missed.id) is not State.PENDING)
    await subscribed(store.connection)
    with mock.patch.object(Mirror, "catch_up", mock.AsyncMock()):
        await hears_of_a_cancellation(store, worker)


async def test_a_subscriber_reads_the_log_as_soon_as_it_listens(
    store: Store, another: MakeStore
) -> None:
    """Not a second later: between two reconnections something may have been decided."""
    grant = await store.approved()
    late = await another()
    late.mirror._catch_up_regularly = mock.AsyncMock()  # type: ignore[method-assign]
    async with late.fed():
        await until(lambda: late.mirror.state_of(grant.id) is None)


async def test_what_was_decided_before_the_start_is_known(store: Store, another: MakeStore) -> None:
    decided = [await store.approved() for _ in range(3)]
    late = await another()
    async with late.fed():
        await until(lambda: late.mirror.reachable)
        assert {late.mirror.state_of(grant.id) for grant in decided} == {None}
        assert late.mirror.state_of((await store.grant()).id) is State.PENDING


@pytest.mark.parametrize("noise", ["", "x", "1 approved", "zz approved 1", "1 unheard-of 1"])
async def test_noise_on_the_channel_does_not_deafen(
    store: Store, worker: Store, noise: str
) -> None:
    """Another version's message, say. A mirror that stops would say "pending" for ever."""
    await store.connection.command("PUBLISH", CHANNEL, noise)
    with mock.patch.object(Mirror, "catch_up", mock.AsyncMock()):
        await until(lambda: worker.mirror.reachable)
        grant = await store.grant()
        message = announcement(grant.id, State.DENIED, grant.expires_at)
        async with asyncio.timeout(10):
            while worker.mirror.state_of(grant.id) is State.PENDING:
                await store.connection.command("PUBLISH", CHANNEL, message)
                await asyncio.sleep(0.01)
        assert worker.mirror.state_of(grant.id) is State.DENIED


async def test_an_unexpected_failure_shows_as_unreachable_and_passes(
    store: Store, worker: Store
) -> None:
    with (
        mock.patch.object(mirror_module, "CATCH_UP_S", 0.01),
        mock.patch.object(Mirror, "catch_up", side_effect=ZeroDivisionError),
    ):
        await until(lambda: not worker.mirror.reachable)
    await until(lambda: worker.mirror.reachable)
    assert (await store.grant()).state is State.PENDING


# Memory


async def test_a_grant_that_has_ended_gives_its_memory_back(store: Store, clock: Clock) -> None:
    now = int(clock())
    for grant_id in range(100):
        store.mirror.learn(grant_id, State.DENIED, now + grant_id)
        store.mirror.learn(grant_id + 1000, None, now + grant_id)
    assert len(store.mirror) == 200
    clock.advance(50)
    store.mirror.forget_expired()
    assert store.mirror.state_of(99) is State.DENIED
    assert store.mirror.state_of(1099) is None
    assert 100 <= len(store.mirror) <= 140, "what has ended long ago is gone, nothing else is"
    clock.advance(100)
    store.mirror.forget_expired()
    assert len(store.mirror) == 0
    assert store.mirror._ends == {}


async def test_who_watches_no_more_leaves_nothing_behind(store: Store, clock: Clock) -> None:
    heard: list[State] = []
    store.mirror.learn(1, None, int(clock()) + 60)
    for grant_id in (1, 2):
        store.mirror.watch(grant_id, heard.append)
        store.mirror.unwatch(grant_id, heard.append)
        store.mirror.unwatch(grant_id, heard.append)
    store.mirror.learn(1, State.DENIED, int(clock()) + 60)
    assert heard == []
    assert (store.mirror._watchers, store.mirror._unresolved) == ({}, set())


async def test_twenty_thousand_decisions_are_caught_up_in_pages(store: Store, clock: Clock) -> None:
    count = 20_000
    await fill_log(store, count)
    executed = mock.Mock(wraps=store.connection.pipeline)
    with mock.patch.object(store.connection, "pipeline", executed):
        await store.mirror.catch_up()
    assert len(store.mirror) == count
    assert executed.call_count == count // PAGE + 1
    await store.mirror.catch_up()
    assert len(store.mirror) == count
    clock.advance(LIFETIME_S + 20)
    store.mirror.forget_expired()
    assert len(store.mirror) == 0


async def fill_log(store: Store, count: int) -> None:
    """Hints of `count` grants, as if other workers had decided them."""
    ends = int(store.clock()) + LIFETIME_S
    async with store.connection.pipeline() as pipe:
        for number in range(count):
            pipe.xadd(LOG_KEY, {"g": f"{number:x}", "x": str(ends)})
        pipe.expire(LOG_KEY, 60)
        await pipe.execute()


async def test_the_log_has_an_end_and_forgets_what_is_old(store: Store) -> None:
    """Hints are kept as long as the longest grant may live, and an hour."""
    grant = await store.grant()
    await store.grants._hint(grant)
    assert 25 * 3600 - 5 <= await store.connection.command("TTL", LOG_KEY) <= 25 * 3600
    await store.connection.command("DEL", LOG_KEY)
    for number in range(500):
        await store.connection.command("XADD", LOG_KEY, f"{number + 1}-0", "g", "1", "x", "1")
    await store.grants._hint(grant)
    assert await store.connection.command("XLEN", LOG_KEY) < 200
