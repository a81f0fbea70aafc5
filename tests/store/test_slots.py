"""Slot numbers, and how many grants are live, on fakeredis and on a real server alike."""

from deviceflow.store import keyspace
from deviceflow.store.slots import BLOCK
from tests.stage.store import Store


async def test_numbers_are_taken_once(each_store: Store) -> None:
    other = Store(each_store.connection, each_store.installation, each_store.clock)
    taken = []
    for _ in range(3 * BLOCK):
        taken += [await each_store.slots.take(), await other.slots.take()]
    assert len(set(taken)) == len(taken)
    assert max(taken) <= len(taken) + BLOCK


async def test_the_counter_may_run_over(each_store: Store) -> None:
    """40 bits fit into a device code; after 10^12 grants the numbers begin again."""
    await each_store.connection.command("SET", keyspace.SLOTS, (1 << 40) - 3)
    taken = [await each_store.slots.take() for _ in range(BLOCK)]
    assert taken == [(n + (1 << 40) - 2) % (1 << 40) for n in range(BLOCK)]


async def count(store: Store, grants: int) -> int:
    """Let others make `grants` grants; how many are live then."""
    await store.connection.command("INCRBY", keyspace.SLOTS, grants)
    for _ in range(BLOCK):
        await store.slots.take()
    return store.slots.live(600)


async def test_before_the_first_grant_one_is_live(each_store: Store) -> None:
    assert each_store.slots.live(600) == 1
    assert await count(each_store, 0) == 1


async def test_a_burst_in_the_first_second_counts(each_store: Store) -> None:
    await count(each_store, 0)
    assert await count(each_store, 10_000) >= 10_000
    assert await count(each_store, 10_000) >= 20_000


async def test_what_was_made_longer_ago_than_a_lifetime_is_not_live(each_store: Store) -> None:
    await count(each_store, 0)
    each_store.clock.advance(10)
    assert 5000 <= await count(each_store, 5000) <= 5000 + 2 * BLOCK
    each_store.clock.advance(601)
    assert await count(each_store, 0) <= 2 * BLOCK


async def test_a_counter_that_began_again_is_no_negative_fleet(each_store: Store) -> None:
    """The store lost its data."""
    await count(each_store, 10_000)
    each_store.clock.advance(2)
    await each_store.connection.command("DEL", keyspace.SLOTS)
    assert await count(each_store, 0) == 1
    each_store.clock.advance(2)
    assert await count(each_store, 500) >= 500
