"""The feed: every decision reaches every worker, at once or by the catch-up a second later."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from unittest import mock

import pytest

from deviceflow.core.grant import Event, Outcome, State
from deviceflow.store import keyspace
from deviceflow.store.announcements import Decision, announce_change, push
from deviceflow.store.errors import StoreUnavailable
from deviceflow.store.feed import CATCH_UP_S, Feed
from deviceflow.store.grants import Grants
from tests.stage.store import ADA, Store
from tests.stage.waiting import PATIENCE_S, decision, next_catch_up, subscribed, until

MakeStore = Callable[[], Awaitable[Store]]

OFTEN_S = 0.01


@pytest.fixture
async def worker(another: MakeStore) -> AsyncIterator[Store]:
    """Another worker, which is fed; it listens when the test begins."""
    async with listening(await another()) as worker:
        yield worker


@pytest.fixture
async def eager(another: MakeStore) -> AsyncIterator[Store]:
    """The same, with a hundred catch-ups a second."""
    async with listening(replace(await another(), catch_up_s=OFTEN_S)) as worker:
        yield worker


@asynccontextmanager
async def listening(worker: Store) -> AsyncIterator[Store]:
    async with worker.fed():
        await until(lambda: worker.feed.reachable)
        await subscribed(worker.connection)
        yield worker


@pytest.fixture
def _no_push() -> Iterator[None]:
    """Every push message is lost."""
    with mock.patch.object(Grants, "_announce", mock.AsyncMock()):
        yield


async def hears_of_a_cancellation(store: Store, worker: Store) -> None:
    """Whoever waits at `worker` is told what is decided elsewhere."""
    grant = await store.grant()
    waiting = asyncio.create_task(decision(worker.mirror, grant.id))
    await asyncio.sleep(0)
    await store.grants.decide(grant, Event.CANCEL)
    assert await waiting is State.CANCELLED


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
    with mock.patch.object(Feed, "catch_up", mock.AsyncMock()):
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
async def test_a_lost_message_costs_one_catch_up_at_most(store: Store, worker: Store) -> None:
    grant = await store.approved()
    await next_catch_up(worker.feed)
    assert worker.mirror.state_of(grant.id) is None
    assert await worker.grants.state_of(grant.id) is State.APPROVED


async def test_between_two_catch_ups_there_is_a_second_at_most(store: Store) -> None:
    """Whatever the first one comes to: it succeeds, or the store is away, or it fails."""
    assert store.feed.catch_up_s == CATCH_UP_S < 1
    outcomes = [None, StoreUnavailable(), ZeroDivisionError()]
    sleep = mock.AsyncMock(side_effect=[None, None, asyncio.CancelledError])
    with (
        mock.patch.object(store.feed, "catch_up", mock.AsyncMock(side_effect=outcomes)),
        mock.patch.object(asyncio, "sleep", sleep),
        pytest.raises(asyncio.CancelledError),
    ):
        await store.feed._catch_up_regularly()
    assert sleep.await_args_list == [mock.call(CATCH_UP_S)] * 3


@pytest.mark.usefixtures("_no_push")
async def test_who_is_held_hears_of_a_decision_whose_message_was_lost(
    store: Store, eager: Store
) -> None:
    await hears_of_a_cancellation(store, eager)


async def test_a_decider_that_dies_after_the_hint_leaves_a_hint_that_stays(
    store: Store, worker: Store
) -> None:
    """A hint without a change makes polls of that grant ask the store, and no more."""
    grant = await store.grant()
    await store.grants._hint(grant)
    await until(lambda: worker.mirror.state_of(grant.id) is None)
    await worker.feed.catch_up()
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


async def test_a_hint_in_the_log_never_replaces_a_decision(store: Store) -> None:
    grant = await store.approved()
    await store.feed.catch_up()
    assert store.mirror.state_of(grant.id) is State.APPROVED


async def test_a_killed_subscription_is_made_anew(store: Store, worker: Store) -> None:
    """What was decided meanwhile is in the log; what is decided later is pushed."""
    missed = await store.grant()
    killed = await store.connection.command("CLIENT", "KILL", "TYPE", "pubsub")
    assert killed >= 2, "one for each channel; Sentinels have their own"
    await store.grants.decide(missed, Event.CANCEL)
    await until(lambda: worker.mirror.state_of(missed.id) is not State.PENDING)
    await subscribed(store.connection)
    with mock.patch.object(Feed, "catch_up", mock.AsyncMock()):
        await hears_of_a_cancellation(store, worker)


async def test_a_subscriber_reads_the_log_as_soon_as_it_listens(
    store: Store, another: MakeStore
) -> None:
    """Not a second later: between two reconnections something may have been decided."""
    grant = await store.approved()
    late = await another()
    regularly = mock.AsyncMock()
    with mock.patch.object(late.feed, "_catch_up_regularly", regularly):
        async with late.fed():
            await until(lambda: late.mirror.state_of(grant.id) is None)


async def test_what_was_decided_before_the_start_is_known(store: Store, another: MakeStore) -> None:
    decided = [await store.approved() for _ in range(3)]
    late = await another()
    async with late.fed():
        await until(lambda: late.feed.reachable)
        assert {late.mirror.state_of(grant.id) for grant in decided} == {None}
        assert late.mirror.state_of((await store.grant()).id) is State.PENDING


@pytest.mark.parametrize("noise", ["", "x", "1 approved", "zz approved 1", "1 unheard-of 1"])
async def test_noise_on_the_channel_does_not_deafen(
    store: Store, worker: Store, noise: str
) -> None:
    """Another version's message, say. A mirror that stops would say "pending" for ever."""
    await push(store.connection, noise)
    with mock.patch.object(Feed, "catch_up", mock.AsyncMock()):
        await until(lambda: worker.feed.reachable)
        grant = await store.grant()
        message = Decision(grant.id, State.DENIED, grant.expires_at).message
        async with asyncio.timeout(PATIENCE_S):
            while worker.mirror.state_of(grant.id) is State.PENDING:
                await push(store.connection, message)
                await asyncio.sleep(0.01)
        assert worker.mirror.state_of(grant.id) is State.DENIED


async def test_an_unexpected_failure_shows_as_unreachable_and_passes(
    store: Store, eager: Store
) -> None:
    with mock.patch.object(Feed, "catch_up", side_effect=ZeroDivisionError):
        await until(lambda: not eager.feed.reachable)
    await until(lambda: eager.feed.reachable)
    assert (await store.grant()).state is State.PENDING


async def test_it_ends_though_a_cancellation_was_swallowed(store: Store) -> None:
    """As redis-py does under Python 3.11 while it writes: the worker has to end all the same."""
    cancelled = 0
    busy = asyncio.Event()

    async def swallow_once() -> None:
        nonlocal cancelled
        busy.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled += 1
            if cancelled > 1:
                raise

    with mock.patch.object(store.feed, "_look", swallow_once):
        feeding = asyncio.create_task(store.feed.run())
        await busy.wait()
        feeding.cancel()
        await asyncio.wait([feeding], timeout=PATIENCE_S)
    assert feeding.cancelled()
    assert cancelled > 1


# Clients and keys


def counting(store: Store) -> tuple[Store, asyncio.Queue[None]]:
    """A worker, and an entry for each time that it reads clients and keys again."""
    reads: asyncio.Queue[None] = asyncio.Queue()

    async def read() -> None:
        reads.put_nowait(None)

    return replace(store, on_change=read), reads


async def test_every_worker_reads_again(store: Store) -> None:
    """At once: a message on the channel; and the number grows for those who miss it."""
    worker, reads = counting(store)
    async with worker.fed(), asyncio.timeout(PATIENCE_S):
        await reads.get()
        for number in (1, 2):
            await announce_change(store.connection)
            await reads.get()
            assert await store.connection.command("GET", keyspace.REVISION) == b"%d" % number


async def test_a_change_whose_message_was_lost(store: Store) -> None:
    """The number is read once a second: whoever changed something may have died after it."""
    worker, reads = counting(store)
    async with worker.fed(), asyncio.timeout(PATIENCE_S):
        await reads.get()
        await store.connection.command("INCR", keyspace.REVISION)
        await next_catch_up(worker.feed)
        assert reads.qsize() == 1


async def test_read_again_after_data_was_lost(store: Store) -> None:
    """Though the number is the same as before: none."""
    worker, reads = counting(store)
    await worker.feed.catch_up()
    await worker.feed.catch_up()
    assert reads.qsize() == 1
    await store.connection.command("FLUSHALL")
    await worker.feed.catch_up()
    assert reads.qsize() == 2


async def test_a_read_that_fails_is_repeated(store: Store) -> None:
    """The number counts as read only when everything was."""
    read = mock.AsyncMock(side_effect=[ConnectionError, None])
    worker = replace(store, on_change=read)
    with pytest.raises(ConnectionError):
        await worker.feed.catch_up()
    await worker.feed.catch_up()
    await worker.feed.catch_up()
    assert read.await_count == 2
