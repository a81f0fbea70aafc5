"""Limits on starts, on fakeredis and on a real server alike."""

import asyncio
from typing import Any
from unittest import mock

import pytest

from deviceflow.store import keyspace, scripts
from deviceflow.store.errors import StoreUnavailable
from deviceflow.store.starts import REFILL_S, Start, StartLimits, StartRefusal, Starts
from tests.stage.store import Store

NONE = StartLimits(client=0, network=0, address=0, live=0)
HOME, NEIGHBOUR, SITE = "2001:db8:1:1::/64", "2001:db8:1:2::/64", "2001:db8:1::/48"
MINUTE_S = 60


def doors(store: Store) -> Starts:
    return Starts(store.connection, store.installation, store.clock)


def start(
    limits: StartLimits,
    address: str = "203.0.113.7",
    network: str | None = None,
    *,
    client_id: str = "tv-app",
    lifetime: int = 600,
) -> Start:
    return Start(client_id, limits, network, address, lifetime)


async def several(starts: Starts, number: int, each: Start) -> list[str]:
    """The limits that refuse so many starts, one after the other; empty where none does."""
    refusals = [await starts.admit(each) for _ in range(number)]
    return [refusal.limit if refusal else "" for refusal in refusals]


@pytest.mark.parametrize("limit", ["client", "network", "address", "live"])
async def test_so_many_may_start_at_the_same_moment(each_store: Store, limit: str) -> None:
    starts = doors(each_store)
    each = start(NONE._replace(**{limit: 3}), HOME, SITE)
    assert await several(starts, 5, each) == ["", "", "", limit, limit]


async def test_a_bucket_refills_evenly(each_store: Store) -> None:
    starts = doors(each_store)
    each = start(NONE._replace(address=10))
    assert await several(starts, 11, each) == [""] * 10 + ["address"]
    refusal = await starts.admit(each)
    assert refusal == StartRefusal("address", REFILL_S / 10)
    for _ in range(3):
        each_store.clock.advance(REFILL_S / 10)
        assert await several(starts, 2, each) == ["", "address"]
    each_store.clock.advance(2 * REFILL_S)
    assert await several(starts, 11, each) == [""] * 10 + ["address"]


async def test_the_most_general_limit_refuses_first(each_store: Store) -> None:
    starts = doors(each_store)
    all_of_them = StartLimits(client=3, network=2, address=1, live=0)
    assert await several(starts, 2, start(all_of_them, HOME, SITE)) == ["", "address"]
    assert await several(starts, 2, start(all_of_them, NEIGHBOUR, SITE)) == ["", "network"]
    assert await several(starts, 2, start(all_of_them, "203.0.113.7")) == ["", "client"]


async def test_a_refused_start_writes_nothing(each_store: Store) -> None:
    """However many there are: neither a key nor a count."""
    starts = doors(each_store)
    limits = StartLimits(client=9, network=9, address=9, live=1)
    assert await several(starts, 2, start(limits, HOME, SITE)) == ["", "live"]
    before = await contents(each_store)
    for number in range(20):
        elsewhere = start(limits, f"2001:db8:1:{number}::/64", SITE)
        assert await several(starts, 1, elsewhere) == ["live"]
    assert await contents(each_store) == before


async def contents(store: Store) -> dict[bytes, Any]:
    """Everything that was counted."""
    found = {}
    for key in await store.connection.command("KEYS", "df:c*"):
        is_hash = await store.connection.command("TYPE", key) == b"hash"
        found[key] = await store.connection.command("HGETALL" if is_hash else "GET", key)
    return found


async def test_clients_and_addresses_have_counts_of_their_own(each_store: Store) -> None:
    starts = doors(each_store)
    limits = StartLimits(client=2, network=0, address=1, live=0)
    assert await several(starts, 2, start(limits)) == ["", "address"]
    assert await several(starts, 1, start(limits, "203.0.113.8")) == [""]
    assert await several(starts, 1, start(limits, "203.0.113.9")) == ["client"]
    assert await several(starts, 1, start(limits, client_id="other-tv")) == [""]


async def test_a_start_now_and_then_leaves_no_bucket_behind(each_store: Store) -> None:
    """A bucket ends when it is full again: here after 0.02 s."""
    await doors(each_store).admit(start(NONE._replace(address=30_000)))
    keys = await each_store.connection.command("KEYS", keyspace.starts_from("*", "*"))
    left_ms = [await each_store.connection.command("PTTL", key) for key in keys]
    assert all(left <= 20 for left in left_ms)


async def test_live_grants_count_until_they_expire(each_store: Store) -> None:
    """To the minute, and never too early; each by its own lifetime."""
    starts, clock = doors(each_store), each_store.clock
    clock.now = clock.now // MINUTE_S * MINUTE_S
    limits = NONE._replace(live=3)
    assert await several(starts, 2, start(limits)) == ["", ""]
    assert await several(starts, 1, start(limits, lifetime=1800)) == [""]
    clock.advance(599)
    assert await starts.admit(start(limits)) == StartRefusal("live", 1.0)
    clock.advance(61)
    assert await several(starts, 3, start(limits)) == ["", "", "live"]
    clock.advance(1800)
    assert await several(starts, 4, start(limits)) == ["", "", "", "live"]
    hashes = await each_store.connection.command("KEYS", keyspace.starts("*"))
    [fields] = [await each_store.connection.command("HLEN", key) for key in hashes]
    assert fields == 4, "minutes that are over are forgotten"


async def test_a_clock_that_steps_back_refuses_for_no_longer_than_a_full_bucket(
    each_store: Store,
) -> None:
    starts = doors(each_store)
    each = start(NONE._replace(address=2))
    assert await several(starts, 2, each) == ["", ""]
    each_store.clock.advance(-3600)
    assert await starts.admit(each) == StartRefusal("address", REFILL_S / 2)


async def test_a_limit_that_is_lowered_holds_at_once(each_store: Store) -> None:
    """And a bucket that was used up by half stays so, in the new measure."""
    starts = doors(each_store)
    await several(starts, 5, start(NONE._replace(address=10)))
    assert await several(starts, 2, start(NONE._replace(address=2))) == ["", "address"]


async def test_starts_at_the_same_time_share_a_call_and_all_count(store: Store) -> None:
    starts = doors(store)
    limits = StartLimits(client=250, network=0, address=30, live=0)
    with mock.patch.object(scripts, "admit_starts", wraps=scripts.admit_starts) as calls:
        refusals = await asyncio.gather(
            *(starts.admit(start(limits, f"203.0.113.{i % 10}")) for i in range(200)),
            *(starts.admit(start(limits, client_id="other-tv")) for _ in range(40)),
        )
    assert calls.call_count == 5, "64 of a client in each"
    assert refusals[:200] == [None] * 200
    assert [refusal is None for refusal in refusals[200:]] == [True] * 30 + [False] * 10


async def test_all_workers_count_together(store: Store) -> None:
    workers = [doors(store) for _ in range(3)]
    each = start(NONE._replace(address=10))
    refusals = await asyncio.gather(*(workers[i % 3].admit(each) for i in range(30)))
    assert sum(refusal is None for refusal in refusals) == 10


async def test_a_script_that_fails_fails_the_starts_of_its_client_alone(each_store: Store) -> None:
    """As where a shard of a Cluster is away."""
    starts, admit_starts = doors(each_store), scripts.admit_starts
    lost = each_store.installation.name(b"client", b"lost")

    async def one_is_away(connection: Any, keys: list[str], *given: Any) -> Any:  # noqa: ANN401
        if keys[0] == keyspace.starts(lost):
            raise StoreUnavailable("away")
        return await admit_starts(connection, keys, *given)

    limits = NONE._replace(client=1)
    with mock.patch.object(scripts, "admit_starts", one_is_away):
        *failed, admitted = await asyncio.gather(
            *(starts.admit(start(limits, client_id=name)) for name in ("lost", "lost", "tv-app")),
            return_exceptions=True,
        )
    assert admitted is None
    assert [str(each) for each in failed] == ["away", "away"]
    assert failed[0] is not failed[1]
