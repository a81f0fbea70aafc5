"""Families of refresh tokens, on fakeredis and on a real server alike (RFC 9700 4.14.2)."""

import msgspec
import pytest

from deviceflow.core.grant import Outcome
from deviceflow.store import keyspace
from deviceflow.store.access_tokens import LONGEST_LIFE_S
from deviceflow.store.families import (
    SAME_SUCCESSOR_S,
    SUCCESSORS_KEPT,
    PresentedRefreshToken,
    RefreshToken,
)
from tests.stage.store import IDLE_S, Store

FAMILIES = keyspace.family("*")
KEY = "k" * 43
OTHER_KEY = "-" * 43


async def use(store: Store, token: RefreshToken, jkt: str = "") -> RefreshToken:
    """What a good token leads to."""
    found = await store.families.find(token)
    assert found is not None
    assert found.is_good
    successor = await store.families.rotate(token, found.family, jkt)
    assert successor is not None
    return successor


async def use_later(store: Store, token: RefreshToken) -> RefreshToken:
    """The same, by somebody else or after a time-out: the successor is another."""
    store.clock.advance(SAME_SUCCESSOR_S)
    return await use(store, token)


async def is_good(store: Store, *tokens: RefreshToken) -> list[bool]:
    """Which of `tokens`, of a family that lives, may be used."""
    found = [await store.families.find(token) for token in tokens]
    return [one.is_good for one in found if one is not None]


async def test_a_redemption_begins_a_family(each_store: Store) -> None:
    token, family = await each_store.family()
    assert await each_store.families.find(token) == PresentedRefreshToken(
        family, is_good=True, dpop_jkt=""
    )


async def test_a_redemption_without_a_family_stores_none(each_store: Store) -> None:
    grant = await each_store.approved()
    assert await each_store.grants.redeem(grant, None) is Outcome.CHANGED
    assert await each_store.connection.command("KEYS", FAMILIES) == []


async def test_each_token_leads_to_the_next(each_store: Store) -> None:
    """9700-2.2.2-a: and is no longer good once the next one is used."""
    tokens = [(await each_store.family())[0]]
    for _ in range(4):
        tokens.append(await use(each_store, tokens[-1]))
    assert await is_good(each_store, *tokens) == [False] * 3 + [True] * 2


async def test_uses_at_once_lead_to_one_successor(each_store: Store) -> None:
    """Of every request of a device that sends its token several times at once."""
    token, _ = await each_store.family()
    assert len({await use(each_store, token) for _ in range(3)}) == 1
    assert await use_later(each_store, token) != await use(each_store, await use(each_store, token))


async def test_every_answer_that_may_have_arrived_is_good(each_store: Store) -> None:
    """Whichever it was that reached the device, the earliest or the latest."""
    for which in range(3):
        token, _ = await each_store.family()
        successors = [await use_later(each_store, token) for _ in range(3)]
        assert len(set(successors)) == 3
        assert await is_good(each_store, token, *successors) == [True] * 4
        following = await use(each_store, successors[which])
        good = [one == which for one in range(3)]
        assert await is_good(each_store, token, *successors, following) == [False, *good, True]


async def test_a_device_that_never_gets_an_answer(each_store: Store) -> None:
    """The store does not keep more and more of what it was told; the newest are good."""
    token, _ = await each_store.family()
    successors = [await use_later(each_store, token) for _ in range(SUCCESSORS_KEPT + 3)]
    assert await is_good(each_store, *successors) == [False] * 3 + [True] * SUCCESSORS_KEPT
    (key,) = await each_store.connection.command("KEYS", FAMILIES)
    assert await each_store.connection.command("HSTRLEN", key, "next") < 33 * SUCCESSORS_KEPT


async def test_a_use_that_was_overtaken(each_store: Store) -> None:
    """It was good when it came, and is old when it lands: refused, and nobody is harmed."""
    first, family = await each_store.family()
    second = await use(each_store, first)
    third = await use(each_store, second)
    assert await each_store.families.rotate(first, family) is None
    assert await is_good(each_store, first, second, third) == [False, True, True]


async def test_a_secret_that_nobody_was_given(each_store: Store) -> None:
    token, family = await each_store.family()
    await use(each_store, token)
    for name in (token.name, "A" * 16):
        guess = RefreshToken.new(name)
        assert await each_store.families.rotate(guess, family) is None
    assert await is_good(each_store, RefreshToken.new(token.name), token) == [False, True]
    assert await each_store.families.find(RefreshToken.new("A" * 16)) is None


async def key_of(store: Store, token: RefreshToken) -> str:
    found = await store.families.find(token)
    assert found is not None
    return found.dpop_jkt


async def test_a_key_that_comes_later(each_store: Store) -> None:
    """9449-5-a: the successor is bound to it, and all that follow; the old token is not."""
    token, _ = await each_store.family()
    bound = await use(each_store, token, KEY)
    unbound = await use(each_store, token)
    other = await use(each_store, token, OTHER_KEY)
    assert len({bound, unbound, other}) == 3
    keys = [await key_of(each_store, one) for one in (token, bound, unbound, other)]
    assert keys == ["", KEY, "", OTHER_KEY]
    following = await use(each_store, bound, KEY)
    assert await key_of(each_store, bound) == await key_of(each_store, following) == KEY
    await use(each_store, following, KEY)
    assert await key_of(each_store, following) == KEY


async def test_a_key_from_the_beginning(each_store: Store) -> None:
    """Also of what an older version stored: a successor there says nothing of its key."""
    token, family = await each_store.family()
    (key,) = await each_store.connection.command("KEYS", FAMILIES)
    record = msgspec.json.encode(msgspec.structs.replace(family, dpop_jkt=KEY))
    old_successor = RefreshToken.new(token.name)
    fields = ("family", record, "next", old_successor.hash, "rotate", "x", "expires", 1)
    await each_store.connection.command("HSET", key, *fields)
    assert await key_of(each_store, token) == await key_of(each_store, old_successor) == KEY
    following = await use(each_store, old_successor, KEY)
    assert await key_of(each_store, old_successor) == await key_of(each_store, following) == KEY


async def test_a_revoked_grant_stays_away(each_store: Store) -> None:
    token, family = await each_store.family()
    await each_store.families.revoke(each_store.families.grant_id(token.name))
    assert await each_store.families.find(token) is None
    assert await each_store.families.rotate(token, family) is None
    assert await each_store.connection.command("KEYS", FAMILIES) == []
    (mark,) = await each_store.connection.command("KEYS", keyspace.revoked("*"))
    assert await each_store.connection.command("TTL", mark) > LONGEST_LIFE_S - 10


async def test_a_grant_id_of_before(each_store: Store) -> None:
    """It had the mark's name only, and does not lead to the family; the mark holds."""
    token, _ = await each_store.family()
    grant_id = each_store.families.grant_id(token.name)
    await each_store.families.revoke(grant_id[:16])
    assert await each_store.connection.command("KEYS", keyspace.revoked("*")) == [
        keyspace.revoked(grant_id[:16]).encode()
    ]
    assert await is_good(each_store, token) == [True]


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
    await use(each_store, token)
    assert await ends_in(each_store) == IDLE_S


async def test_no_use_postpones_the_absolute_end(each_store: Store) -> None:
    token, _ = await each_store.family(lifetime=1500)
    each_store.clock.advance(900)
    token = await use(each_store, token)
    assert await ends_in(each_store) == 600
    each_store.clock.advance(599)
    await use(each_store, token)
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
    [
        "",
        ".",
        "A" * 60,
        "A" * 16 + "." + "A" * 42,
        "A" * 16 + "." + "A" * 43 + "\n",
        pytest.param("é" * 60, id="é"),
    ],
)
def test_what_has_another_shape_is_no_token(text: str) -> None:
    assert RefreshToken.parse(text) is None
