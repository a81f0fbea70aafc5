"""The answers to devices while the store is idle, unreachable, or has lost its data."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from deviceflow.config import Settings
from deviceflow.core.grant import Event, State
from deviceflow.store.errors import StoreUnavailable
from tests.stage.clock import Clock
from tests.stage.oauth import Stage, StageAt, Until, Worker
from tests.stage.valkey import Valkey

StartValkey = Callable[..., "Valkey"]

PENDING = (400, "authorization_pending")
EXPIRED = (400, "expired_token")
UNAVAILABLE = (503, "temporarily_unavailable")
POLLS = 200


async def test_a_pending_poll_asks_the_store_nothing(
    stage: Stage, worker: Worker, clock: Clock
) -> None:
    """DESIGN, first sentence; 200 polls of 20 grants, between two readings of the statistics."""
    codes = [(await worker.authorize()).body["device_code"] for _ in range(20)]
    before = await stage.calls()
    for _ in range(POLLS // len(codes)):
        answers = [await worker.poll(code) for code in codes]
        assert {answer.outcome for answer in answers} == {PENDING}
        clock.advance(5)
    # The catch-up is two commands a second, and the reading is one.
    assert await stage.calls() - before < POLLS / 10


async def test_a_denied_poll_asks_the_store_nothing(stage: Stage, worker: Worker) -> None:
    """The decision is in the mirror, so the polls of a denied device cause no store commands."""
    grant = await worker.authorize()
    await stage.people.deny(grant.body["user_code"])
    before = await stage.calls()
    for _ in range(POLLS):
        assert (await worker.poll(grant.body["device_code"])).error == "access_denied"
    assert await stage.calls() - before < POLLS / 10


@pytest.fixture
async def own_store(
    start_valkey: StartValkey, stage_at: StageAt, settings: Settings, clock: Clock
) -> AsyncIterator[tuple[Valkey, Stage]]:
    """Run a store that a test may kill. It has acknowledged data on disk."""
    config = {"appendonly": "yes", "appendfsync": "always"}
    own = start_valkey(config)
    async with AsyncExitStack() as stack:
        yield own, await stage_at(own.url, settings, clock, stack)


async def test_the_store_is_out_of_reach(
    own_store: tuple[Valkey, Stage], clock: Clock, until: Until
) -> None:
    """Pending polls go on, approvals are kept, and new grants and pages are 503."""
    valkey, stage = own_store
    worker = await stage.start_worker()
    pending, approved = [(await worker.authorize()).body for _ in range(2)]
    family = await _redeemed(stage, worker)
    await stage.people.approve(approved["user_code"])
    assert (await worker.poll(pending["device_code"])).outcome == PENDING
    cookies = await _session(stage, worker)
    valkey.kill()
    await until(lambda: not worker.feed.reachable)

    clock.advance(5)
    assert (await worker.poll(pending["device_code"])).outcome == PENDING
    assert (await worker.poll(pending["device_code"])).error == "slow_down"
    assert (await worker.poll(approved["device_code"])).outcome == PENDING
    for answer in (await worker.authorize(), await worker.refresh(family)):
        assert answer.outcome == UNAVAILABLE
        assert int(answer.headers["Retry-After"]) > 0
    async with worker.client.get("/device", headers=cookies) as page:
        assert page.status == 503
        assert int(page.headers["Retry-After"]) > 0
        assert page.content_type == "text/html"
    with pytest.raises(StoreUnavailable):
        await stage.people.approve(pending["user_code"])

    valkey.start()
    await until(lambda: worker.feed.reachable)
    assert (await worker.poll(approved["device_code"])).status == 200
    assert (await worker.refresh(family)).status == 200
    assert (await worker.authorize()).status == 200
    await stage.people.approve(pending["user_code"])
    assert (await worker.poll(pending["device_code"])).status == 200


async def test_a_worker_that_never_reached_the_store_again(
    own_store: tuple[Valkey, Stage], until: Until
) -> None:
    """A worker that was cut off learns of a decision when it is connected again."""
    valkey, stage = own_store
    worker = await stage.start_worker()
    grant = await worker.authorize()
    found = await stage.people.find(grant.body["user_code"])
    assert found is not None
    valkey.kill()
    await until(lambda: not worker.feed.reachable)
    valkey.start()
    await stage.people.claim(grant.body["user_code"])
    await stage.people.grants.decide(found, Event.APPROVE, await stage.people.subject("ada"))
    await worker.knows(found.id, State.APPROVED, None)
    assert (await worker.poll(grant.body["device_code"])).status == 200


async def test_the_store_has_lost_its_data(
    stage: Stage, worker: Worker, until: Until, clock: Clock
) -> None:
    """8628-3.5-c: old codes are expired_token within a second, and new grants work."""
    grants = [(await worker.authorize()).body for _ in range(3)]
    await stage.people.approve(grants[1]["user_code"])
    await stage.people.deny(grants[2]["user_code"])
    epoch = worker.epoch
    await stage.redis.flushall()
    await until(lambda: worker.epoch != epoch)
    for grant in grants:
        assert (await worker.poll(grant["device_code"])).outcome == EXPIRED
        assert (await worker.poll(grant["device_code"], "other-tv")).error == "invalid_grant"
    fresh = await worker.authorize()
    assert (await worker.poll(fresh.body["device_code"])).outcome == PENDING
    again = await stage.start_worker()
    assert (await again.poll(fresh.body["device_code"])).error == "slow_down"
    clock.advance(600)
    assert (await again.poll(fresh.body["device_code"])).outcome == EXPIRED


async def test_the_operator_is_told(own_store: tuple[Valkey, Stage], until: Until) -> None:
    """Readiness says degraded, with status 200: polls are still answered."""
    valkey, stage = own_store
    worker = await stage.start_worker()
    assert await worker.readiness() == (200, {"status": "ok", "store": "reachable"})
    valkey.kill()
    await until(lambda: not worker.feed.reachable)
    assert await worker.readiness() == (200, {"status": "degraded", "store": "unreachable"})


async def _redeemed(stage: Stage, worker: Worker) -> str:
    """Return the refresh token of a device."""
    grant = await worker.authorize()
    await stage.people.approve(grant.body["user_code"])
    return str((await worker.poll(grant.body["device_code"])).body["refresh_token"])


async def _session(stage: Stage, worker: Worker) -> dict[str, str]:
    """Return the Cookie header of a signed-in person."""
    session_id = await stage.people.sessions.start("ada", "sub-ada", int(stage.clock.now))
    headers = {"Cookie": f"deviceflow={session_id}", "Host": "127.0.0.1:8628"}
    async with worker.client.get("/device", headers=headers, allow_redirects=False) as page:
        assert page.status == 200
    return headers
