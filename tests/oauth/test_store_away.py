"""The answers to devices while the store is idle, unreachable, or has lost its data."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from deviceflow.config import Redis, Settings
from deviceflow.core.grant import Event, State
from deviceflow.policy.rules import code_counts, sign_in_counts
from deviceflow.policy.tries import TooManyTries, count_try
from deviceflow.store.errors import StoreUnavailable
from deviceflow.store.sessions import Session
from tests.stage.clock import Clock
from tests.stage.oauth import Stage, StageAt, Until, Worker
from tests.stage.pages import COOKIE
from tests.stage.proving import claims_of, introspect, revoke, tokens, userinfo, with_surface
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


async def test_a_store_that_refuses_writes_shows_in_readiness(
    own_store: tuple[Valkey, Stage], until: Until
) -> None:
    """It can be read, so it is reachable; but no grant begins and none is decided."""
    valkey, stage = own_store
    worker = await stage.start_worker()
    with valkey.client() as client:
        client.config_set("maxmemory", "1")
        await until(lambda: worker.feed.refusal)
        expected = {"status": "degraded", "store": "refuses", "reason": "OOM"}
        assert await worker.readiness() == (200, expected)
        assert (await worker.authorize()).outcome == UNAVAILABLE
        client.config_set("maxmemory", "0")
    await until(lambda: not worker.feed.refusal)
    assert await worker.readiness() == (200, {"status": "ok", "store": "reachable"})


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
    # The first failure is of the connection that was open; the next look finds the true cause.
    await until(lambda: worker.feed.unreachable_cause == "nothing listens there")
    away = {"status": "degraded", "store": "unreachable", "reason": "nothing listens there"}
    assert await worker.readiness() == (200, away)


async def _redeemed(stage: Stage, worker: Worker) -> str:
    """Return the refresh token of a device."""
    grant = await worker.authorize()
    await stage.people.approve(grant.body["user_code"])
    return str((await worker.poll(grant.body["device_code"])).body["refresh_token"])


async def _session(stage: Stage, worker: Worker) -> dict[str, str]:
    """Return the Cookie header of a signed-in person."""
    session_id = await stage.people.sessions.start(Session("ada", "sub-ada", int(stage.clock.now)))
    headers = {"Cookie": f"{COOKIE}={session_id}", "Host": "127.0.0.1:8628"}
    async with worker.client.get("/device", headers=headers, allow_redirects=False) as page:
        assert page.status == 200
    return headers


@pytest.fixture
async def replicated(
    start_valkey: StartValkey, stage_at: StageAt, settings: Settings, clock: Clock
) -> AsyncIterator[tuple[Valkey, Worker, Stage]]:
    """Run a worker that acknowledges only what a replica has, and the replica."""
    primary = start_valkey(
        {"repl-diskless-sync-delay": "0", "repl-ping-replica-period": "1"}, tcp=True
    )
    replica = start_valkey({"replicaof": f"127.0.0.1 {primary.port}"})
    redis = Redis(durability="replicated", replicas=1, replica_timeout_ms=1000)
    async with AsyncExitStack() as stack:
        settings = msgspec.structs.replace(settings, redis=redis)
        stage = await stage_at(primary.url, settings, clock, stack)
        await stage.redis.set("written", "before", ex=60)
        assert await stage.redis.wait(1, 20_000) == 1
        yield replica, await stage.start_worker(), stage


async def test_a_replica_that_is_away_costs_no_device_its_tokens(
    replicated: tuple[Valkey, Worker, Stage],
) -> None:
    """Ten approved televisions poll while it hangs, and poll again when it is back."""
    replica, worker, stage = replicated
    codes = []
    for _ in range(10):
        grant = await worker.authorize()
        await stage.people.approve(grant.body["user_code"])
        codes.append(grant.body["device_code"])
    replica.signal(signal.SIGSTOP)
    answers = await asyncio.gather(*(worker.poll(code) for code in codes))
    assert {answer.outcome for answer in answers} == {UNAVAILABLE}
    replica.signal(signal.SIGCONT)
    assert await stage.redis.wait(1, 20_000) == 1
    for code in codes:
        assert (await worker.poll(code)).status == 200


async def test_a_replica_that_stops_in_the_middle_costs_no_device_its_tokens(
    replicated: tuple[Valkey, Worker, Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the hint, and not the redemption: then the next poll has the tokens."""
    replica, worker, stage = replicated
    grant = await worker.authorize(scope="openid offline_access")
    await stage.people.approve(grant.body["user_code"])
    code = grant.body["device_code"]
    hint = worker.parts.grants._hint

    async def then_it_stops(*arguments: object) -> None:
        await hint(*arguments)  # type: ignore[arg-type]
        replica.signal(signal.SIGSTOP)

    monkeypatch.setattr(worker.parts.grants, "_hint", then_it_stops)
    for _ in range(2):
        assert (await worker.poll(code)).outcome == UNAVAILABLE
    replica.signal(signal.SIGCONT)
    assert await stage.redis.wait(1, 20_000) == 1
    bodies = [(await worker.poll(code)).body for _ in range(2)]
    ids = {claims_of(body["access_token"])["jti"] for body in bodies}
    assert len(ids) == len({body["refresh_token"] for body in bodies}) == 1


@pytest.fixture
async def restricted(
    start_valkey: StartValkey, stage_at: StageAt, settings: Settings, clock: Clock
) -> AsyncIterator[tuple[Worker, Stage]]:
    """Run a worker as the Redis user that docs/operations/store.md describes."""
    server = start_valkey()
    text = (Path(__file__).parents[2] / "docs/operations/store.md").read_text(encoding="utf-8")
    rule = re.search(r"^ACL SETUSER deviceflow on >PASSWORD [^`]*", text, re.MULTILINE)
    assert rule is not None
    with server.client() as client:
        client.execute_command(*rule[0].split())
    async with AsyncExitStack() as stack:
        stage = await stage_at(server.url, with_surface(settings), clock, stack)
        stage.url = server.url.replace("unix://", "unix://deviceflow:PASSWORD@")
        yield await stage.start_worker(), stage


@pytest.mark.parametrize("client_id", ["tv-app", "opaque"])
async def test_a_user_with_the_rights_that_the_documentation_lists(
    restricted: tuple[Worker, Stage], client_id: str
) -> None:
    worker, stage = restricted
    body = await tokens(worker, stage.people, client_id, scope="openid offline_access")
    fresh = (await worker.refresh(body["refresh_token"], client_id)).body
    token = fresh["access_token"]
    assert (await introspect(worker, token))["active"]
    assert (await userinfo(worker, f"Bearer {token}")).status == 200
    await revoke(worker, token, client_id)
    assert not (await introspect(worker, token))["active"]


async def test_the_same_user_counts_and_forgives_tries(
    restricted: tuple[Worker, Stage],
) -> None:
    """A wrong password, the right one, and wrong codes until the rule refuses."""
    parts = restricted[0].parts
    assert await parts.users.verify("ada", "no password of Ada") is None
    sign_in = await count_try(parts.limits, sign_in_counts("ada", "192.0.2.1", None))
    await sign_in.forgive()
    counts = code_counts("sub-ada", "192.0.2.1", 600)
    for _ in range(min(count.rule.limit for count in counts)):
        await count_try(parts.limits, counts)
    with pytest.raises(TooManyTries):
        await count_try(parts.limits, counts)


async def test_a_user_without_the_channel(restricted: tuple[Worker, Stage]) -> None:
    """A redemption after which the push message is refused: the tokens arrive all the same."""
    worker, stage = restricted
    await stage.redis.acl_setuser("deviceflow", enabled=True, reset_channels=True)
    people = stage.people
    grant = await worker.authorize()
    found = await people.find(grant.body["user_code"])
    assert found is not None
    await people.claim(grant.body["user_code"])
    await people.grants.decide(found, Event.APPROVE, await people.subject("ada"))
    await worker.knows(found.id, None, State.APPROVED)
    with capture_logs() as logs:
        answer = await worker.poll(grant.body["device_code"])
    assert answer.status == 200, answer.body
    assert "store.push_refused" in [log["event"] for log in logs]
