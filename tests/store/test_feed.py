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
from deviceflow.store.feed import CATCH_UP_S, PAGE, Feed
from deviceflow.store.grants import Grants
from tests.stage.clock import Clock
from tests.stage.store import ADA, LIFETIME_S, Store, log
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


# The log


async def test_twenty_thousand_decisions_are_caught_up_in_pages(store: Store, clock: Clock) -> None:
    count = 20_000
    await fill_log(store, count)
    executed = mock.Mock(wraps=store.connection.attempt)
    with mock.patch.object(store.connection, "attempt", executed):
        await store.feed.catch_up()
    assert len(store.mirror) == count
    # First the clients are read; the last page is empty.
    assert executed.call_count == 1 + count // PAGE + 1
    await store.feed.catch_up()
    assert len(store.mirror) == count
    clock.advance(LIFETIME_S + 20)
    store.mirror.forget_expired(clock())
    assert len(store.mirror) == 0


async def old_log(store: Store, count: int, age_s: int) -> None:
    """Hints that were logged so long ago, of grants that have ended since."""
    milliseconds = int(store.clock() - age_s) * 1000
    entries = (
        (f"{milliseconds}-{number + 1}", "g", f"{2**40 + number:x}", "x", "1")
        for number in range(count)
    )
    await log(store, entries)


def read_entries(store: Store) -> list[int]:
    """How many entries each look at the log reads, from now on."""
    counts: list[int] = []
    take = store.feed._take_hints

    def count(entries: list[tuple[bytes, dict[bytes, bytes]]]) -> None:
        counts.append(len(entries))
        take(entries)

    store.feed._take_hints = count  # type: ignore[method-assign]
    return counts


async def test_a_start_reads_only_decisions_of_grants_that_may_live(store: Store) -> None:
    """However long the log is: a day of a large fleet has a million entries."""
    await old_log(store, 5000, 2 * LIFETIME_S)
    await fill_log(store, 10)
    store.feed.longest_s = lambda: LIFETIME_S
    counts = read_entries(store)
    await store.feed.catch_up()
    assert sum(counts) == 10
    assert len(store.mirror) == 10


async def test_a_start_reads_decisions_of_the_longest_grant(store: Store) -> None:
    """Its client may be one of the store's, which are read before the log is."""
    longest = 0

    async def read_clients() -> None:
        nonlocal longest
        longest = 3 * LIFETIME_S

    await old_log(store, 50, 2 * LIFETIME_S)
    store.feed.longest_s = lambda: longest
    store.feed.on_change = read_clients
    counts = read_entries(store)
    await store.feed.catch_up()
    assert sum(counts) == 50


async def test_what_is_new_is_read_before_the_backlog_is_finished(store: Store) -> None:
    await fill_log(store, 5 * PAGE)
    await store.feed._look()
    await store.feed._look()
    assert len(store.mirror) == PAGE
    assert store.mirror.state_of(5 * PAGE - 1) is None, "the newest decisions come first"
    grant = await store.grant()
    await store.grants._hint(grant)
    await store.feed._look()
    assert store.mirror.state_of(grant.id) is None
    assert len(store.mirror) == 2 * PAGE + 1
    assert store.mirror.state_of(0) is State.PENDING
    await store.feed.catch_up()
    assert len(store.mirror) == 5 * PAGE + 1


async def test_who_is_held_hears_of_a_decision_before_the_backlog_is_finished(
    store: Store,
) -> None:
    await fill_log(store, 5 * PAGE)
    grant = await store.grant()
    await store.grants.decide(grant, Event.CANCEL)
    store.mirror.forget_all()
    known: list[int] = []
    store.mirror.watch(grant.id, lambda _: known.append(len(store.mirror)))
    await store.feed.catch_up()
    assert known == [PAGE]


async def fill_log(store: Store, count: int) -> None:
    """Hints of `count` grants, as if other workers had decided them."""
    ends = int(store.clock()) + LIFETIME_S
    await log(store, (("*", "g", f"{number:x}", "x", ends) for number in range(count)))


async def test_the_log_has_an_end_and_forgets_what_is_old(store: Store) -> None:
    """Hints are kept as long as the longest grant may live, and an hour."""
    grant = await store.grant()
    await store.grants._hint(grant)
    assert 25 * 3600 - 5 <= await store.connection.command("TTL", keyspace.DECISIONS) <= 25 * 3600
    await store.connection.command("DEL", keyspace.DECISIONS)
    for number in range(500):
        await store.connection.command(
            "XADD", keyspace.DECISIONS, f"{number + 1}-0", "g", "1", "x", "1"
        )
    await store.grants._hint(grant)
    assert await store.connection.command("XLEN", keyspace.DECISIONS) < 200
