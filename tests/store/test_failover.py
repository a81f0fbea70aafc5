"""Two workers decide the same grants while the primary of their store is killed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from deviceflow.core.grant import Event, Outcome, State
from deviceflow.store.connection import Connection, Durability
from deviceflow.store.errors import StoreUnavailable
from deviceflow.store.grants import Grant
from deviceflow.store.installation import Installation
from tests.stage.clock import Clock
from tests.stage.shapes import Cluster, ManyServers, Sentinels
from tests.stage.store import ADA, Store
from tests.stage.waiting import PATIENCE_S, until

STORES: dict[str, Callable[[], ManyServers]] = {
    "sentinel": lambda: Sentinels(replicas=2),
    "cluster": lambda: Cluster(replicas=6),
}
ENDS = {Event.APPROVE: State.APPROVED, Event.DENY: State.DENIED}
GRANTS = 12
REPLICATED = Durability(replicas=1, timeout_ms=2_000)
AGAIN_S = 0.05


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


async def press(store: Store, grant: Grant, event: Event) -> Outcome:
    """Press a button until the store has taken it or refused it."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await store.grants.decide(grant, event, ADA)
            except StoreUnavailable:
                await asyncio.sleep(AGAIN_S)


async def race(first: Store, second: Store, grant: Grant) -> None:
    """Approve at one worker and deny at the other: one of them is acknowledged, and holds."""
    outcomes = dict(
        zip(
            ENDS,
            await asyncio.gather(
                press(first, grant, Event.APPROVE), press(second, grant, Event.DENY)
            ),
            strict=True,
        )
    )
    (taken,) = [event for event, outcome in outcomes.items() if outcome is Outcome.CHANGED]
    end = ENDS[taken]
    for store in (first, second):
        assert await decision(store.mirror, grant.id) is end
        assert await store.grants.state_of(grant.id) is end


async def test_approve_and_deny_race_through_a_failover(servers: ManyServers, clock: Clock) -> None:
    async with worker_at(servers.url, clock) as first, worker_at(servers.url, clock) as second:
        grants: list[Grant] = []
        while len(grants) < GRANTS:
            try:
                grant = await first.grant()
                assert await first.grants.claim(grant, ADA.sub) is Outcome.CHANGED
                grants.append(grant)
            except StoreUnavailable:
                await asyncio.sleep(AGAIN_S)
        racing = asyncio.gather(*(race(first, second, grant) for grant in grants))
        servers.servers[0].kill()
        await racing
