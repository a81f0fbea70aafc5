"""What a Sentinel and a Cluster do while the server runs: they switch, fail over, move slots."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
from redis.crc import key_slot
from structlog.testing import capture_logs

from deviceflow.core.grant import Event, Outcome, State
from deviceflow.store import keyspace
from deviceflow.store.announcements import push
from deviceflow.store.connection import Connection, Durability
from deviceflow.store.errors import StoreUnavailable
from deviceflow.store.grant_records import Grant
from deviceflow.store.installation import Installation
from tests.stage.clock import Clock
from tests.stage.shapes import SERVICE, Cluster, Sentinels, accepts
from tests.stage.store import Store
from tests.stage.valkey import Valkey
from tests.stage.waiting import PATIENCE_S, until

OFTEN_S = 0.05


@asynccontextmanager
async def worker_at(
    url: str, clock: Clock, durability: Durability | None = None
) -> AsyncIterator[Store]:
    connection = Connection.open(url, durability)
    store = Store(connection, await Installation.open(connection), clock, catch_up_s=OFTEN_S)
    try:
        async with store.fed():
            await until(lambda: store.feed.reachable)
            yield store
    finally:
        await connection.close()


async def approved_by_itself(store: Store) -> Grant:
    """Approve and redeem a grant, as often as a person would: until the store takes it."""
    redeemed: list[Grant] = []
    while not redeemed:
        try:
            grant = await store.approved()
            assert await store.grants.redeem(grant, None) is Outcome.CHANGED
            redeemed.append(grant)
        except StoreUnavailable:
            await until(lambda: store.feed.reachable)
    return redeemed[0]


@pytest.fixture
def sentinels() -> Iterator[Sentinels]:
    with Sentinels() as running:
        yield running


async def test_sentinel_switches_to_the_replica(sentinels: Sentinels, clock: Clock) -> None:
    with capture_logs() as logs:
        async with worker_at(sentinels.url, clock) as store:
            await approved_by_itself(store)
            sentinels.servers[0].kill()
            await until(lambda: not store.feed.reachable)
            await until(lambda: store.feed.reachable)
            await approved_by_itself(store)
    assert "feed.failed" not in [log["event"] for log in logs]


async def test_a_planned_switch_is_followed(sentinels: Sentinels, clock: Clock) -> None:
    """The old primary lives on as a replica, and keeps answering."""
    async with worker_at(sentinels.url, clock) as store:
        (old,) = sentinels.writable()
        await until(sentinels.is_in_step)
        with sentinels.sentinel() as client:
            # It has to hear from the replica first.
            await until(partial(accepts, client, "SENTINEL", "FAILOVER", SERVICE))
        await until(lambda: sentinels.writable() not in ([], [old]))
        await approved_by_itself(store)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster(replicas=1) as running:
        yield running


def owner(cluster: Cluster, key: str) -> int:
    """The place of the primary that serves a key, at the beginning."""
    return key_slot(key.encode()) * cluster.primaries // 2**14


async def approved_at(cluster: Cluster, shard: int, store: Store) -> None:
    """Approve grant after grant by itself, until the store has kept one at a shard."""
    shards: set[int] = set()
    async with asyncio.timeout(PATIENCE_S):
        while shard not in shards:
            grant = await approved_by_itself(store)
            shards.add(owner(cluster, store.grants._key(grant.id)))


async def test_a_shard_fails_over(cluster: Cluster, clock: Clock) -> None:
    """Its replica takes over; the push messages of the shard arrive again, too."""
    with capture_logs() as logs:
        async with worker_at(cluster.url, clock) as store:
            heard: list[bytes] = []
            store.feed.on_hold = heard.append
            await approved_by_itself(store)
            cluster.servers[0].kill()
            await approved_at(cluster, 0, store)
            await until(lambda: store.feed.reachable)
            grant = await store.grant()
            await store.grants.decide(grant, Event.CANCEL)
            async with asyncio.timeout(PATIENCE_S):
                while not heard:
                    await push(store.connection, "a hold", channel=keyspace.HOLDS)
                    await asyncio.sleep(0.01)
    assert "feed.failed" not in [log["event"] for log in logs]


async def test_a_slot_that_moves_is_followed(cluster: Cluster, clock: Clock) -> None:
    """MOVED after it has moved, ASK while it moves: each command arrives once."""
    async with worker_at(cluster.url, clock) as store:
        grant = await store.grant()
        key = store.grants._key(grant.id)
        slot = key_slot(key.encode())
        source = owner(cluster, key)
        target = (source + 1) % cluster.primaries
        give, take = cluster.servers[source], cluster.servers[target]
        ids = [_say(server, "CLUSTER", "MYID").decode() for server in (give, take)]
        _say(take, "CLUSTER", "SETSLOT", slot, "IMPORTING", ids[0])
        _say(give, "CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1])
        _say(give, "MIGRATE", "127.0.0.1", take.port, key, 0, 5000)
        assert await store.grants.claim(grant, "sub-ada") is Outcome.CHANGED, "by ASK"
        for server in (take, give):
            _say(server, "CLUSTER", "SETSLOT", slot, "NODE", ids[1])
        assert await store.grants.decide(grant, Event.CANCEL) is Outcome.CHANGED, "by MOVED"
        assert await store.grants.state_of(grant.id) is State.CANCELLED


async def test_a_decision_on_a_cluster_waits_for_the_replica_of_its_shard(
    cluster: Cluster, clock: Clock
) -> None:
    """WAIT goes over the connection of the writes: other shards here have no replica."""
    impatient = Durability(replicas=1, timeout_ms=300)
    async with worker_at(cluster.url, clock, impatient) as store:
        outcomes: dict[bool, set[str]] = {True: set(), False: set()}
        # A replica may be late, too; one that is not there never answers.
        while "kept" not in outcomes[True] or not outcomes[False]:
            grant = await store.grant()
            has_replica = owner(cluster, store.grants._key(grant.id)) == 0
            try:
                await store.grants.claim(grant, "sub-ada")
                outcomes[has_replica].add("kept")
            except StoreUnavailable as error:
                outcomes[has_replica].add(str(error))
        assert outcomes[False] == {"too few replicas"}


def _say(server: Valkey, *command: object) -> bytes:
    with server.client() as client:
        answer: bytes = client.execute_command(*command)
        return answer
