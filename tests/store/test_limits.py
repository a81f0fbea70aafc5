"""Limits, on fakeredis and on a real server alike."""

import asyncio

from deviceflow.store import keyspace
from deviceflow.store.limits import LimitResult
from tests.stage.store import Store


async def test_so_many_are_allowed_and_no_more(each_store: Store) -> None:
    hits = [await each_store.limits.hit("guess", "ada", limit=3, window_s=60) for _ in range(5)]
    assert [hit.allowed for hit in hits] == [True] * 3 + [False] * 2
    assert [hit.retry_after_s for hit in hits[:3]] == [0] * 3
    assert all(58 <= hit.retry_after_s <= 60 for hit in hits[3:])


async def test_names_and_keys_are_counted_apart(each_store: Store) -> None:
    allowed = LimitResult(allowed=True, retry_after_s=0)
    for name, key in (("guess", "ada"), ("guess", "bob"), ("sign-in", "ada")):
        assert await each_store.limits.hit(name, key, limit=1, window_s=60) == allowed
    assert not (await each_store.limits.hit("guess", "ada", limit=1, window_s=60)).allowed


async def test_the_window_begins_with_the_first_try_and_is_not_prolonged(
    each_store: Store,
) -> None:
    await each_store.limits.hit("guess", "ada", limit=1, window_s=60)
    (key,) = await each_store.connection.command("KEYS", keyspace.limit("guess", "*"))
    await each_store.connection.command("PEXPIRE", key, 5000)
    verdict = await each_store.limits.hit("guess", "ada", limit=1, window_s=60)
    assert not verdict.allowed
    assert verdict.retry_after_s == 5


async def test_a_counter_without_an_end_gets_one(each_store: Store) -> None:
    await each_store.limits.hit("guess", "ada", limit=9, window_s=60)
    (key,) = await each_store.connection.command("KEYS", keyspace.limit("guess", "*"))
    await each_store.connection.command("PERSIST", key)
    await each_store.limits.hit("guess", "ada", limit=9, window_s=60)
    assert 58_000 <= await each_store.connection.command("PTTL", key) <= 60_000


async def test_after_the_window_it_begins_anew(each_store: Store) -> None:
    assert (await each_store.limits.hit("guess", "ada", limit=1, window_s=1)).allowed
    (key,) = await each_store.connection.command("KEYS", keyspace.limit("guess", "*"))
    await each_store.connection.command("PEXPIRE", key, 0)
    assert (await each_store.limits.hit("guess", "ada", limit=1, window_s=1)).allowed


async def test_a_try_that_was_none_is_taken_back(each_store: Store) -> None:
    limits = each_store.limits
    for _ in range(9):
        assert (await limits.hit("guess", "ada", limit=1, window_s=60)).allowed
        await limits.forgive("guess", "ada")
    assert (await limits.hit("guess", "ada", limit=1, window_s=60)).allowed
    assert not (await limits.hit("guess", "ada", limit=1, window_s=60)).allowed


async def test_nothing_is_taken_back_from_a_window_that_has_ended(each_store: Store) -> None:
    """Neither a credit for later tries, nor a counter that never ends."""
    await each_store.limits.forgive("guess", "ada")
    assert await each_store.connection.command("KEYS", keyspace.limit("guess", "*")) == []


async def test_hits_at_once_are_all_counted(store: Store) -> None:
    hits = [store.limits.hit("guess", "ada", limit=10, window_s=60) for _ in range(60)]
    verdicts = await asyncio.gather(*hits)
    assert sum(verdict.allowed for verdict in verdicts) == 10
