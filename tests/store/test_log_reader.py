"""The decision log is read in pages: what is new, and backwards what a worker has missed."""

from unittest import mock

from deviceflow.core.grant import Event, State
from deviceflow.store import keyspace
from deviceflow.store.log_reader import PAGE
from tests.stage.clock import Clock
from tests.stage.store import LIFETIME_S, Store, log


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
    reader = store.feed._decisions
    take = reader._take_hints

    def count(entries: list[tuple[bytes, dict[bytes, bytes]]]) -> None:
        counts.append(len(entries))
        take(entries)

    reader._take_hints = count  # type: ignore[method-assign]
    return counts


async def test_a_start_reads_only_decisions_of_grants_that_may_live(store: Store) -> None:
    """However long the log is: a day of a large fleet has a million entries."""
    await old_log(store, 5000, 2 * LIFETIME_S)
    await fill_log(store, 10)
    store.feed._decisions._longest_s = lambda: LIFETIME_S
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
    store.feed._decisions._longest_s = lambda: longest
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
