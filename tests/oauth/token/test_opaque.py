"""Opaque access tokens."""

import re

import msgspec
import pytest

from deviceflow.config import Settings, Tokens
from tests.stage.oauth import People, Stage, Worker
from tests.stage.proving import INACTIVE, claims_of, introspect, tokens, userinfo, with_surface


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return with_surface(settings)


async def test_the_form(stage: Stage, worker: Worker, people: People) -> None:
    """6749-10.10-a: 256 random bits; 6749-10.3-a: the store has only a hash, with a TTL."""
    made = {(await tokens(worker, people, "opaque"))["access_token"] for _ in range(5)}
    assert len(made) == 5
    assert all(re.fullmatch(r"dfa_[A-Za-z0-9_-]{43}", token) for token in made)
    keys = await stage.keys("df:t:*")
    assert len(keys) == 5
    for key in keys:
        assert 0 < await stage.redis.ttl(key) <= 1800
    for key in await stage.keys("*"):
        stored = key.encode() + (await stage.redis.dump(key) or b"")
        assert not any(token[4:].encode() in stored for token in made)


async def test_after_a_restart(stage: Stage, worker: Worker, people: People) -> None:
    token = (await tokens(worker, people, "opaque"))["access_token"]
    restarted = await stage.start_worker()
    assert (await introspect(restarted, token))["active"] is True
    assert (await userinfo(restarted, f"Bearer {token}")).status == 200


async def test_a_refresh(worker: Worker, people: People) -> None:
    body = await tokens(worker, people, "opaque")
    again = await worker.refresh(body["refresh_token"], "opaque")
    assert again.body["access_token"].startswith("dfa_")
    assert again.body["access_token"] != body["access_token"]
    assert claims_of(again.body["id_token"])["sub"] == "sub-ada"


async def test_for_all_clients(stage: Stage, people: People) -> None:
    """`tokens.format`, if the client has no token_format."""
    settings = msgspec.structs.replace(stage.settings, tokens=Tokens(format="opaque"))
    worker = await stage.start_worker(settings)
    token = (await tokens(worker, people))["access_token"]
    assert token.startswith("dfa_")
    assert (await introspect(worker, token))["active"] is True


async def test_nearly_a_token(worker: Worker, people: People) -> None:
    token = (await tokens(worker, people, "opaque"))["access_token"]
    for other in (token[:-1], token + "A", token[4:], token.upper()):
        assert await introspect(worker, other) == INACTIVE
