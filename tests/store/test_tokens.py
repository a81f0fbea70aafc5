"""Families of refresh tokens, on fakeredis and on a real server alike (RFC 9700 4.14.2)."""

import pytest

from deviceflow.core.grant import Outcome
from deviceflow.store.tokens import RefreshToken, Rotation
from tests.store.conftest import IDLE_S, Store

FAMILIES = "df:f:*"


async def rotate(store: Store, presented: RefreshToken) -> tuple[Rotation, RefreshToken]:
    """Use `presented`: what became of it, and its successor."""
    family = await store.tokens.read(presented.name)
    successor = RefreshToken.new(presented.name)
    if family is None:
        return Rotation.MISSING, successor
    return await store.tokens.rotate(presented, successor, family), successor


async def test_a_redemption_begins_a_family(each_store: Store) -> None:
    token, family = await each_store.family()
    assert await each_store.tokens.read(token.name) == family


async def test_a_redemption_without_a_family_stores_none(each_store: Store) -> None:
    grant = await each_store.approved()
    assert await each_store.grants.redeem(grant, None) is Outcome.CHANGED
    assert await each_store.connection.command("KEYS", FAMILIES) == []


async def test_each_token_leads_to_the_next(each_store: Store) -> None:
    token, _ = await each_store.family()
    for _ in range(4):
        rotation, token = await rotate(each_store, token)
        assert rotation is Rotation.ROTATED


async def test_a_device_whose_answer_was_lost_uses_its_token_again(each_store: Store) -> None:
    token, _ = await each_store.family()
    for _ in range(3):
        rotation, successor = await rotate(each_store, token)
        assert rotation is Rotation.ROTATED
    assert (await rotate(each_store, successor))[0] is Rotation.ROTATED


async def test_an_old_token_ends_the_family(each_store: Store) -> None:
    """9700-2.2.2-a: replay revokes the active token."""
    stolen, _ = await each_store.family()
    _, second = await rotate(each_store, stolen)
    _, third = await rotate(each_store, second)
    assert (await rotate(each_store, stolen))[0] is Rotation.REPLAYED
    assert (await rotate(each_store, third))[0] is Rotation.MISSING
    assert await each_store.connection.command("KEYS", FAMILIES) == []


async def test_a_successor_that_was_replaced_is_a_replay_too(each_store: Store) -> None:
    """Two holders of one token: whoever comes second with what he got ends the family."""
    token, _ = await each_store.family()
    _, thief_s = await rotate(each_store, token)
    _, owner_s = await rotate(each_store, token)
    assert (await rotate(each_store, owner_s))[0] is Rotation.ROTATED
    assert (await rotate(each_store, thief_s))[0] is Rotation.REPLAYED
    assert (await rotate(each_store, owner_s))[0] is Rotation.MISSING


async def test_another_client_s_use_changes_nothing(each_store: Store) -> None:
    """6749-6-a."""
    token, family = await each_store.family()
    foreign = type(family)(
        client_id="other", scope=family.scope, subject=family.subject, expires_at=family.expires_at
    )
    successor = RefreshToken.new(token.name)
    assert await each_store.tokens.rotate(token, successor, foreign) is Rotation.FOREIGN
    assert (await rotate(each_store, token))[0] is Rotation.ROTATED


async def test_a_revoked_family_stays_away(each_store: Store) -> None:
    token, family = await each_store.family()
    await each_store.tokens.revoke(token.name)
    assert await each_store.tokens.read(token.name) is None
    successor = RefreshToken.new(token.name)
    assert await each_store.tokens.rotate(token, successor, family) is Rotation.MISSING
    assert await each_store.connection.command("KEYS", FAMILIES) == []


async def ends_in(store: Store) -> int:
    """When the only family ends, s from now."""
    (key,) = await store.connection.command("KEYS", FAMILIES)
    at: int = await store.connection.command("PEXPIRETIME", key)
    return round(at / 1000 - store.clock())


async def test_use_postpones_the_idle_end(each_store: Store) -> None:
    """9700-4.14.2-a."""
    token, _ = await each_store.family(lifetime=5000)
    assert await ends_in(each_store) == IDLE_S
    each_store.clock.advance(700)
    assert await ends_in(each_store) == IDLE_S - 700
    await rotate(each_store, token)
    assert await ends_in(each_store) == IDLE_S


async def test_no_use_postpones_the_absolute_end(each_store: Store) -> None:
    token, _ = await each_store.family(lifetime=1500)
    each_store.clock.advance(900)
    _, token = await rotate(each_store, token)
    assert await ends_in(each_store) == 600
    each_store.clock.advance(599)
    await rotate(each_store, token)
    assert await ends_in(each_store) == 1


def test_a_token_is_what_its_text_says() -> None:
    """6749-10.10-a: 256 random bits."""
    token = RefreshToken.new("A" * 16)
    assert len(token.text) == 60
    assert RefreshToken.parse(token.text) == token
    assert RefreshToken.new("A" * 16).secret != token.secret
    assert token.secret not in token.hash


@pytest.mark.parametrize(
    "text",
    ["", ".", "A" * 60, "A" * 16 + "." + "A" * 42, "A" * 16 + "." + "A" * 43 + "\n", "é" * 60],
)
def test_what_has_another_shape_is_no_token(text: str) -> None:
    assert RefreshToken.parse(text) is None
