"""Two workers decide the same grants while the primary of their store is killed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

import pytest

from deviceflow.core.grant import Event, Outcome, State
from deviceflow.store.connection import Connection, Durability
from deviceflow.store.errors import StoreUnavailable
from deviceflow.store.grant_records import Grant
from deviceflow.store.installation import Installation
from tests.stage.clock import Clock
from tests.stage.shapes import Cluster, ManyServers, Sentinels
from tests.stage.store import ADA, Store
from tests.stage.waiting import PATIENCE_S, decision, until

STORES: dict[str, Callable[[], ManyServers]] = {
    "sentinel": lambda: Sentinels(replicas=2),
    "cluster": lambda: Cluster(replicas=6),
}
GRANTS = 12
REPLICATED = Durability(replicas=1, timeout_ms=2_000)
AGAIN_S = 0.05

T = TypeVar("T")


@pytest.fixture(params=STORES)
def servers(request: pytest.FixtureRequest) -> Iterator[ManyServers]:
    with STORES[request.param]() as running:
        yield running


@asynccontextmanager
async def worker_at(url: str, clock: Clock) -> AsyncIterator[Store]:
    connection = Connection.open(url, REPLICATED)
    store = Store(connection, await Installation.open(connection), clock, catch_up_s=AGAIN_S)
    try:
        async with store.fed():
            await until(lambda: store.feed.reachable)
            yield store
    finally:
        await connection.close()


async def again(attempt: Callable[[], Awaitable[T]]) -> T:
    """Try until the store answers."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await attempt()
            except StoreUnavailable:
                await asyncio.sleep(AGAIN_S)


async def claimed(store: Store) -> Grant:
    """A grant for a person to decide."""
    grant = await store.grant()
    assert await store.grants.claim(grant, ADA.sub) is Outcome.CHANGED
    return grant


async def race(first: Store, second: Store, grant: Grant) -> None:
    """Approve at one worker and deny at the other: one of them is acknowledged, and holds."""
    approved, denied = await asyncio.gather(
        again(partial(first.grants.decide, grant, Event.APPROVE, ADA)),
        again(partial(second.grants.decide, grant, Event.DENY, ADA)),
    )
    assert {approved, denied} == {Outcome.CHANGED, Outcome.REFUSED}
    end = State.APPROVED if approved is Outcome.CHANGED else State.DENIED
    for store in (first, second):
        assert await decision(store.mirror, grant.id) is end
        assert await again(partial(store.grants.state_of, grant.id)) is end


async def test_approve_and_deny_race_through_a_failover(servers: ManyServers, clock: Clock) -> None:
    async with worker_at(servers.url, clock) as first, worker_at(servers.url, clock) as second:
        grants = [await again(partial(claimed, first)) for _ in range(GRANTS)]
        racing = asyncio.gather(*(race(first, second, grant) for grant in grants))
        servers.servers[0].kill()
        await racing
