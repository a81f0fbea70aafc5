"""Slot numbers, and how many grants are live, on fakeredis and on a real server alike."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from unittest import mock

import pytest

from deviceflow.store import keyspace, scripts
from deviceflow.store.errors import StoreUnavailable
from deviceflow.store.slots import Pressure
from tests.stage.store import Store


async def test_numbers_are_taken_once(each_store: Store) -> None:
    other = Store(each_store.connection, each_store.installation, each_store.clock)
    taken = []
    for _ in range(10):
        for store, lifetime in ((each_store, 600), (other, 600), (other, 1800)):
            calls = (store.slots.take(lifetime) for _ in range(5))
            taken += [slot.number for slot in await asyncio.gather(*calls)]
    assert sorted(taken) == list(range(1, 151))


async def test_the_counter_may_run_over(each_store: Store) -> None:
    """40 bits fit into a device code; after 10^12 grants the numbers begin again."""
    await each_store.connection.command("SET", keyspace.SLOTS, (1 << 40) - 3)
    taken = [(await each_store.slots.take(600)).number for _ in range(4)]
    assert taken == [(1 << 40) - 2, (1 << 40) - 1, 0, 1]


async def test_a_counter_that_was_lost_begins_again(each_store: Store) -> None:
    """And never with a negative count."""
    for _ in range(3):
        await asyncio.gather(*(each_store.slots.take(600) for _ in range(10)))
        each_store.clock.advance(60)
    await each_store.connection.command("DEL", keyspace.SLOTS)
    slots = [await each_store.slots.take(600) for _ in range(3)]
    assert [slot.pressure.live for slot in slots] == [1, 2, 3]
    await each_store.connection.command("DEL", keyspace.MINUTES)
    assert (await each_store.slots.take(600)).pressure.live == 1


async def test_grants_that_wait_at_the_same_time_share_a_call(store: Store) -> None:
    with mock.patch.object(scripts, "take_slots", wraps=scripts.take_slots) as calls:
        slots = await asyncio.gather(*(store.slots.take(600) for _ in range(50)))
    assert calls.call_count == 1
    assert {slot.pressure.live for slot in slots} == {50}


async def test_each_grant_counts_at_once_for_every_worker(
    store: Store, another: Callable[[], Awaitable[Store]]
) -> None:
    """Nothing is taken ahead, so no worker has an older count than another one."""
    workers = [store, await another(), await another()]
    seen = [(await workers[i % 3].slots.take(600)).pressure.live for i in range(30)]
    assert seen == list(range(1, 31))


async def test_each_lifetime_has_its_own_count(each_store: Store) -> None:
    for _ in range(5):
        await each_store.slots.take(600)
    each_store.clock.advance(700)
    assert (await each_store.slots.take(600)).pressure.live == 1
    assert (await each_store.slots.take(86_400)).pressure.live == 7


async def test_what_was_made_longer_ago_than_a_lifetime_is_not_live(each_store: Store) -> None:
    """To the minute, and never too early."""
    await asyncio.gather(*(each_store.slots.take(600) for _ in range(100)))
    each_store.clock.advance(599)
    assert (await each_store.slots.take(600)).pressure.live == 101
    each_store.clock.advance(61)
    assert (await each_store.slots.take(600)).pressure.live == 2


async def test_a_clock_that_steps_back_loses_no_grant(each_store: Store) -> None:
    await asyncio.gather(*(each_store.slots.take(600) for _ in range(100)))
    each_store.clock.advance(-180)
    assert (await each_store.slots.take(600)).pressure.live == 101


@pytest.mark.parametrize("lifetime", [60, 600, 86_400])
async def test_the_count_is_the_one_of_the_minutes(store: Store, lifetime: int) -> None:
    """Beside a list of all grants, over two days with pauses of a second to hours."""
    chance = random.Random(lifetime)  # noqa: S311, not a secret
    made: list[tuple[int, int]] = []
    for _ in range(400):
        store.clock.advance(chance.choice([1, 20, 60, 61, 600, 3600]))
        number, now = chance.randrange(4), store.clock()
        made.append((int(now) // 60, number))
        counted = await store.slots._count(number, lifetime)
        assert counted.grants == sum(n for at, n in made if at >= int(now - lifetime) // 60)


@pytest.mark.parametrize("skew", [-240, -60, 60, 240])
async def test_hosts_that_disagree_about_the_minute_miss_no_grant(
    store: Store, another: Callable[[], Awaitable[Store]], skew: int
) -> None:
    """Each counts at least the grants that are live by its own clock."""
    other = await another()
    other.slots._clock = lambda: store.clock() + skew
    chance = random.Random(skew)  # noqa: S311, not a secret
    made: list[float] = []
    for _ in range(300):
        store.clock.advance(chance.choice([1, 20, 60]))
        for host in (store, other):
            slot = await host.slots.take(600)
            made.append(host.slots._clock())
            assert slot.pressure.live >= sum(at > made[-1] - 600 for at in made)


async def test_what_a_new_grant_would_find(each_store: Store) -> None:
    assert await each_store.slots.pressure(600) == Pressure(1, 0)
    await each_store.slots.take(600)
    await each_store.slots.count_wrong_code()
    assert await each_store.slots.pressure(600) == Pressure(2, 144)
    assert await each_store.slots.pressure(600) == Pressure(2, 144)


async def test_minutes_of_another_day_are_forgotten(each_store: Store) -> None:
    for _ in range(3):
        await each_store.slots.take(600)
        await each_store.slots.count_wrong_code()
        each_store.clock.advance(86_400 + 120)
    await each_store.slots.take(600)
    assert await each_store.connection.command("ZCARD", keyspace.MINUTES) == 1
    assert await each_store.connection.command("HLEN", keyspace.WRONG_CODES) == 0


async def test_how_many_grants_live(each_store: Store) -> None:
    """Of all lifetimes together, over all workers: each until its own end."""
    each_store.clock.now = each_store.clock.now // 60 * 60
    assert await each_store.slots.live() == 0
    await asyncio.gather(*(each_store.slots.take(600) for _ in range(10)))
    await asyncio.gather(*(each_store.slots.take(1800) for _ in range(4)))
    assert await each_store.slots.live() == 14
    each_store.clock.advance(630)
    assert await each_store.slots.live() == 4 + 5, "half of the minute in which ten end is over"
    each_store.clock.advance(30)
    assert await each_store.slots.live() == 4
    each_store.clock.advance(1800)
    await each_store.slots.take(600)
    assert await each_store.connection.command("HLEN", keyspace.ENDS) == 1, "the old are forgotten"


async def test_without_a_store_every_grant_hears_of_it_and_the_next_one_tries_again(
    store: Store,
) -> None:
    with mock.patch.object(scripts, "take_slots", side_effect=StoreUnavailable("away")):
        calls = (store.slots.take(600) for _ in range(3))
        failures = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(failure) for failure in failures] == [StoreUnavailable] * 3
    assert (await store.slots.take(600)).number == 1


async def test_a_fault_strands_no_grant(store: Store) -> None:
    fault = mock.patch.object(scripts, "take_slots", side_effect=RuntimeError)
    with fault, pytest.raises(RuntimeError):
        await store.slots.take(600)
    assert (await store.slots.take(600)).number == 1


async def test_a_device_that_is_gone_holds_up_no_other(store: Store) -> None:
    gone = asyncio.create_task(store.slots.take(600))
    stays = asyncio.create_task(store.slots.take(600))
    await asyncio.sleep(0)
    gone.cancel()
    assert (await stays).pressure.live == 2
    with pytest.raises(asyncio.CancelledError):
        await gone


async def test_how_many_codes_were_wrong_of_late(each_store: Store) -> None:
    """The same number as the one that lengthens codes."""
    for _ in range(12):
        await each_store.slots.count_wrong_code()
        await each_store.slots.count_wrong_code()
        pressure = await each_store.slots.pressure(600)
        assert await each_store.slots.wrong_codes() == pressure.wrong_codes_per_day / 144
        each_store.clock.advance(60)
    assert await each_store.slots.wrong_codes() == 20
