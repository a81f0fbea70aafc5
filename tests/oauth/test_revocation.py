"""POST /oauth2/revoke (RFC 7009)."""

from collections.abc import Callable
from contextlib import AsyncExitStack

import msgspec
import pytest

from deviceflow.config import Settings, Tokens
from deviceflow.store.families import SAME_SUCCESSOR_S
from tests.stage.clock import Clock
from tests.stage.oauth import People, Stage, StageAt, Worker
from tests.stage.proving import (
    INACTIVE,
    INTROSPECT,
    REVOKE,
    SECRET,
    USERINFO,
    introspect,
    revoke,
    tokens,
    with_surface,
)
from tests.stage.valkey import Valkey

INVALID_GRANT = (400, "invalid_grant")
INVALID_CLIENT = (401, "invalid_client")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return with_surface(settings)


@pytest.mark.parametrize("hint", ["", "access_token", "refresh_token", "nonsense"])
@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
@pytest.mark.parametrize("client_id", ["tv-app", "opaque"])
async def test_the_whole_grant_ends(
    worker: Worker, people: People, client_id: str, which: str, hint: str
) -> None:
    """7009-2-a, 7009-2.1-a, 7009-2.1-c: refresh and access tokens, whatever the hint."""
    body = await tokens(worker, people, client_id)
    again = (await worker.refresh(body["refresh_token"], client_id)).body
    await revoke(worker, {**body, **again}[which], client_id, token_type_hint=hint)
    for answer in (body, again):
        assert await introspect(worker, answer["access_token"]) == INACTIVE
        assert await introspect(worker, answer["refresh_token"]) == INACTIVE
        refused = await worker.refresh(answer["refresh_token"], client_id)
        assert refused.outcome == INVALID_GRANT


async def test_other_grants_go_on(worker: Worker, people: People) -> None:
    body, other = await tokens(worker, people), await tokens(worker, people)
    await revoke(worker, body["refresh_token"])
    assert (await introspect(worker, other["access_token"]))["active"] is True
    assert (await worker.refresh(other["refresh_token"])).status == 200


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
async def test_another_clients_token(worker: Worker, people: People, which: str) -> None:
    """7009-2.1-b: still active."""
    body = await tokens(worker, people)
    await revoke(worker, body[which], "other-tv")
    assert (await introspect(worker, body["access_token"]))["active"] is True
    assert (await worker.refresh(body["refresh_token"])).status == 200


@pytest.mark.parametrize(
    "token", ["x", "a.b.c", "dfa_x", "dfa_é", "A" * 16 + "." + "B" * 43, "é", "\x00", " "]
)
async def test_garbage(worker: Worker, token: str) -> None:
    """7009-2.2-a."""
    await revoke(worker, token)


async def test_twice_and_at_every_worker(
    worker: Worker, other_worker: Worker, people: People
) -> None:
    """7009-2.2-a."""
    body = await tokens(worker, people)
    for each in (worker, other_worker, worker):
        await revoke(each, body["access_token"])
        await revoke(each, body["refresh_token"])
    assert await introspect(other_worker, body["access_token"]) == INACTIVE


async def test_half_of_a_refresh_token(worker: Worker, people: People) -> None:
    """The name of a family without one of its tokens revokes nothing."""
    body = await tokens(worker, people)
    name, _, _ = body["refresh_token"].partition(".")
    await revoke(worker, f"{name}.{'A' * 43}")
    assert (await worker.refresh(body["refresh_token"])).status == 200


async def test_the_client_authenticates(worker: Worker, people: People) -> None:
    """RFC 7009 2.1: a confidential client's token needs its secret."""
    grant = await worker.authorize("no-rs", client_secret=SECRET)
    await people.approve(grant.body["user_code"])
    answer = await worker.poll(grant.body["device_code"], "no-rs", client_secret=SECRET)
    token = answer.body["access_token"]
    form = {"client_id": "no-rs", "token": token}
    assert (await worker.post(REVOKE, form)).outcome == INVALID_CLIENT
    assert (await worker.post(REVOKE, form | {"client_secret": "x"})).outcome == INVALID_CLIENT
    assert (await introspect(worker, token))["active"] is True
    await revoke(worker, token, "no-rs", client_secret=SECRET)
    assert await introspect(worker, token) == INACTIVE


@pytest.mark.parametrize("form", [{}, {"token": ""}])
async def test_no_token(worker: Worker, form: dict[str, str]) -> None:
    answer = await worker.post(REVOKE, {"client_id": "tv-app"} | form)
    assert answer.outcome == (400, "invalid_request")
    assert (await worker.post(REVOKE, {"token": "x"})).outcome == (400, "invalid_request")
    assert (await worker.send("GET", REVOKE)).status == 405


async def test_a_replay_ends_access_tokens_too(worker: Worker, people: People) -> None:
    """9700-2.2.2-a: a thief of a refresh token also has an access token."""
    first = await tokens(worker, people)
    second = (await worker.refresh(first["refresh_token"])).body
    third = (await worker.refresh(second["refresh_token"])).body
    assert (await worker.refresh(first["refresh_token"])).outcome == INVALID_GRANT
    for body in (first, second, third):
        assert await introspect(worker, body["access_token"]) == INACTIVE


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
async def test_under_other_settings_than_it_was_issued(
    stage: Stage, worker: Worker, people: People, which: str
) -> None:
    """7009-2-a: a revoked token is deleted, or remembered for as long as it could live."""
    body = await tokens(worker, people)
    brief = Tokens(access_token_lifetime_s=1, refresh_token_lifetime_s=1)
    changed = await stage.start_worker(msgspec.structs.replace(stage.settings, tokens=brief))
    await revoke(changed, body[which])
    assert await stage.keys("df:f:*") == []
    (mark,) = await stage.keys("df:r:*")
    assert await stage.redis.ttl(mark) > body["expires_in"]


@pytest.mark.parametrize("which", [0, 1])
async def test_a_successor_that_nobody_has_used(
    stage: Stage, worker: Worker, people: People, which: int
) -> None:
    """7009-2-a: of a repeated request, whichever answer the device received."""
    body = await tokens(worker, people)
    answers = []
    for _ in range(2):
        answers.append((await worker.refresh(body["refresh_token"])).body)
        stage.clock.advance(SAME_SUCCESSOR_S)
    for answer in (body, *answers):
        assert (await introspect(worker, answer["refresh_token"]))["active"] is True
    await revoke(worker, answers[which]["refresh_token"])
    for answer in (body, *answers):
        assert await introspect(worker, answer["access_token"]) == INACTIVE
        assert await introspect(worker, answer["refresh_token"]) == INACTIVE


async def test_a_refresh_token_that_was_used(worker: Worker, people: People) -> None:
    """7009-2.2-a: it is useless, also to revoke anything."""
    used = (await tokens(worker, people))["refresh_token"]
    second = (await worker.refresh(used)).body["refresh_token"]
    third = (await worker.refresh(second)).body["refresh_token"]
    await revoke(worker, used)
    assert (await worker.refresh(third)).status == 200


async def test_a_key_for_each_grant_that_was_revoked(
    stage: Stage, worker: Worker, people: People
) -> None:
    """7009-5-a: there is no key for each token or request."""
    body = await tokens(worker, people)
    again = (await worker.refresh(body["refresh_token"])).body
    for token in (body["access_token"], again["access_token"], again["refresh_token"]):
        await revoke(worker, token)
    assert len(await stage.keys("df:r:*")) == 1


async def test_the_store_is_out_of_reach(
    start_valkey: Callable[..., Valkey],
    stage_at: StageAt,
    settings: Settings,
    clock: Clock,
) -> None:
    """7009-2.2.1-a: 503 and Retry-After, never the answer of a success; nor at the others."""
    own = start_valkey()
    async with AsyncExitStack() as stack:
        stage = await stage_at(own.url, settings, clock, stack)
        worker = await stage.start_worker()
        body = await tokens(worker, stage.people)
        own.kill()
        bearer = {"Authorization": f"Bearer {body['access_token']}"}
        secret = {"client_id": "rs", "client_secret": SECRET, "token": body["access_token"]}
        for answer in (
            await worker.post(REVOKE, {"client_id": "tv-app", "token": body["access_token"]}),
            await worker.post(REVOKE, {"client_id": "tv-app", "token": body["refresh_token"]}),
            await worker.post(INTROSPECT, secret),
            await worker.send("GET", USERINFO, headers=bearer),
        ):
            assert answer.outcome == (503, "temporarily_unavailable")
            assert int(answer.headers["Retry-After"]) > 0
