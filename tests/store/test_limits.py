"""Limits, on fakeredis and on a real server alike."""

import asyncio
import time
from collections.abc import Sequence

import pytest

from deviceflow.store import keyspace
from deviceflow.store.limits import LimitResult
from tests.stage.limits import MemoryLimits
from tests.stage.store import Store

ALLOWED = LimitResult(allowed=True, retry_after_s=0)


async def key_of(store: Store, name: str = "guess") -> bytes:
    (key,) = await store.connection.command("KEYS", keyspace.limit(name, "*"))
    assert isinstance(key, bytes)
    return key


async def age(store: Store, seconds: float) -> None:
    """Make all tries older."""
    key = await key_of(store)
    tries = await store.connection.command("ZRANGE", key, 0, -1, "WITHSCORES")
    for member, score in tries:
        await store.connection.command("ZADD", key, int(float(score) - seconds * 1000), member)


async def test_so_many_are_allowed_and_no_more(each_store: Store) -> None:
    hits = [await each_store.limits.hit("guess", "ada", limit=3, window_s=60) for _ in range(5)]
    assert [hit.allowed for hit in hits] == [True] * 3 + [False] * 2
    assert [hit.retry_after_s for hit in hits[:3]] == [0] * 3
    assert all(55 <= hit.retry_after_s <= 60 for hit in hits[3:])


async def test_names_and_keys_are_counted_apart(each_store: Store) -> None:
    for name, key in (("guess", "ada"), ("guess", "bob"), ("sign-in", "ada")):
        assert await each_store.limits.hit(name, key, limit=1, window_s=60) == ALLOWED
    assert not (await each_store.limits.hit("guess", "ada", limit=1, window_s=60)).allowed


async def test_a_refused_try_does_not_count(each_store: Store) -> None:
    """Whoever goes on trying waits no longer."""
    await each_store.limits.hit("guess", "ada", limit=1, window_s=60)
    await age(each_store, 55)
    for _ in range(9):
        assert 1 <= (await each_store.limits.hit("guess", "ada", limit=1, window_s=60))[1] <= 5
    assert await each_store.connection.command("ZCARD", await key_of(each_store)) == 1


async def test_the_window_slides(each_store: Store) -> None:
    """At its end not all tries are forgotten at once: no two bursts stand side by side."""
    limits = each_store.limits
    assert await limits.hit("guess", "ada", limit=2, window_s=60) == ALLOWED
    await age(each_store, 40)
    assert await limits.hit("guess", "ada", limit=2, window_s=60) == ALLOWED
    await age(each_store, 25)
    assert await limits.hit("guess", "ada", limit=2, window_s=60) == ALLOWED
    assert not (await limits.hit("guess", "ada", limit=2, window_s=60)).allowed


async def test_tries_end_with_their_window(each_store: Store) -> None:
    await each_store.limits.hit("guess", "ada", limit=9, window_s=60)
    left_ms = await each_store.connection.command("PTTL", await key_of(each_store))
    assert 55_000 <= left_ms <= 60_000


async def test_a_pause_that_grows(each_store: Store) -> None:
    """1 s, 2 s, 4 s and so on, up to the longest; the tries still count."""
    limits, pauses = each_store.limits, []
    for _ in range(8):
        hit = await limits.hit("guess", "ada", limit=2, window_s=3600, longest_delay_s=10)
        if not hit.allowed:
            pauses.append(hit.retry_after_s)
            await age(each_store, hit.retry_after_s)
            assert (
                await limits.hit("guess", "ada", limit=2, window_s=3600, longest_delay_s=10)
                == ALLOWED
            )
    assert pauses == [1, 2, 4, 8, 10, 10]


async def test_a_try_that_was_none_is_taken_back(each_store: Store) -> None:
    limits = each_store.limits
    for _ in range(9):
        assert (await limits.hit("guess", "ada", limit=1, window_s=60, try_id="a")).allowed
        await limits.forgive("guess", "ada", "a")
    assert (await limits.hit("guess", "ada", limit=1, window_s=60, try_id="b")).allowed
    assert not (await limits.hit("guess", "ada", limit=1, window_s=60)).allowed
    await limits.forgive("guess", "ada", "a")
    assert not (await limits.hit("guess", "ada", limit=1, window_s=60)).allowed, "only its own"


async def test_nothing_is_taken_back_from_a_window_that_has_ended(each_store: Store) -> None:
    """Neither a credit for later tries, nor a key that never ends."""
    await each_store.limits.forgive("guess", "ada", "a")
    assert await each_store.connection.command("KEYS", keyspace.limit("guess", "*")) == []


async def test_a_repeated_command_counts_once(each_store: Store) -> None:
    for _ in range(3):
        assert (
            await each_store.limits.hit("guess", "ada", limit=1, window_s=60, try_id="a") == ALLOWED
        )


async def test_hits_at_once_are_all_counted(store: Store) -> None:
    hits = [store.limits.hit("guess", "ada", limit=10, window_s=60) for _ in range(60)]
    verdicts = await asyncio.gather(*hits)
    assert sum(verdict.allowed for verdict in verdicts) == 10


@pytest.mark.parametrize("ages", [(), (5,), (50, 5), (70, 50, 5), (50, 40, 5, 1), (9,) * 12])
@pytest.mark.parametrize("longest_delay_s", [0, 30])
async def test_limits_in_memory_are_like_these(
    each_store: Store, ages: Sequence[int], longest_delay_s: int
) -> None:
    """What the stories of `tests/policy` stand on."""
    now = time.time()
    memory = MemoryLimits(lambda: now)
    await each_store.limits.hit("guess", "ada", limit=99, window_s=60, try_id="first")
    key = await key_of(each_store)
    for number, seconds in enumerate(ages):
        at = now - seconds
        await each_store.connection.command("ZADD", key, int(at * 1000), str(number))
        memory.tries.setdefault(("guess", "ada"), {})[f"old-{number}"] = at
    await each_store.connection.command("ZREM", key, "first")
    for limit in (2, 3, 4):
        real, expected = [
            await limits.hit(
                "guess", "ada", limit=limit, window_s=60, longest_delay_s=longest_delay_s
            )
            for limits in (each_store.limits, memory)
        ]
        assert real.allowed == expected.allowed
        assert abs(real.retry_after_s - expected.retry_after_s) <= 2


async def test_all_tries_of_somebody_are_forgotten(each_store: Store) -> None:
    limits = each_store.limits
    for key in ("ada", "ada", "bob"):
        await limits.hit("guess", key, limit=2, window_s=60)
    await limits.forget("guess", "ada")
    assert [(await limits.hit("guess", "ada", limit=2, window_s=60)).allowed for _ in range(3)] == [
        True,
        True,
        False,
    ]
    await limits.forget("guess", "nobody")
    assert await limits.hit("guess", "bob", limit=2, window_s=60) == ALLOWED
    assert not (await limits.hit("guess", "bob", limit=2, window_s=60)).allowed
