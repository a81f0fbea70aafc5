"""Redemptions that can be repeated, on fakeredis and on a real server alike."""

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable

import pytest

from deviceflow.core.grant import Outcome
from deviceflow.store import keyspace
from deviceflow.store.redemptions import SEED_BYTES, Redemptions, new_seed
from tests.stage.store import GRACE_S, Store
from tests.stage.valkey import Valkey
from tests.store.test_secrecy import dump

MakeStore = Callable[[], Awaitable[Store]]


async def test_what_a_redemption_has_stored_comes_back(each_store: Store) -> None:
    grant, tokens = await each_store.repeatable()
    name = each_store.grants.family_name(grant.id)
    for _ in range(3):
        assert await each_store.redemptions.find(name) == tokens
    left = await each_store.connection.command("PTTL", keyspace.redemption(name))
    assert 0 < left <= GRACE_S * 1000


async def test_of_sixty_at_once_the_winner_s_tokens_are_the_code_s(
    store: Store, another: MakeStore
) -> None:
    grant = await store.approved()
    name = store.grants.family_name(grant.id)
    workers = [store, await another(), await another()]

    async def redeem(number: int) -> tuple[Outcome, bytes, bytes]:
        worker = workers[number % 3]
        tokens = worker.tokens()
        kept = worker.redemptions.repeatable(tokens, 3600)
        outcome = await worker.grants.redeem(grant, None, kept)
        found = await worker.redemptions.find(name)
        assert found is not None
        return outcome, tokens.seed, found.seed

    results = await asyncio.gather(*(redeem(number) for number in range(60)))
    (winner,) = [seed for outcome, seed, _ in results if outcome is Outcome.CHANGED]
    assert {found for _, _, found in results} == {winner}


async def test_the_use_of_a_refresh_token_deletes_the_seed(store: Store, valkey: Valkey) -> None:
    """In the step that rotates. What the store has then tells nothing of the seed."""
    grant, tokens = await store.repeatable()
    name = store.grants.family_name(grant.id)
    token = store.redemptions.refresh_token(tokens, name)
    found = await store.families.find(token)
    assert found is not None
    assert found.is_good
    assert b64encode(tokens.seed) in dump(valkey)
    assert await store.families.rotate(token, found.family) is not None
    assert await store.redemptions.find(name) is None
    everything = dump(valkey)
    assert b64encode(tokens.seed) not in everything
    assert keyspace.redemption(name).encode() not in everything


async def test_a_guess_deletes_nothing(store: Store) -> None:
    grant, tokens = await store.repeatable()
    name = store.grants.family_name(grant.id)
    right = store.redemptions.refresh_token(tokens, name)
    found = await store.families.find(right)
    assert found is not None
    assert await store.families.rotate(right._replace(secret="x" * 43), found.family) is None
    assert await store.redemptions.find(name) == tokens


async def test_a_revocation_deletes_it(store: Store) -> None:
    grant, _ = await store.repeatable()
    name = store.grants.family_name(grant.id)
    await store.families.revoke(store.families.grant_id(name))
    assert await store.redemptions.find(name) is None


@pytest.mark.parametrize(("age", "is_there"), [(0, False), (GRACE_S, False), (3000, True)])
async def test_the_use_of_a_young_access_token_deletes_it(
    store: Store, age: int, *, is_there: bool
) -> None:
    """An old one costs no command."""
    grant, _ = await store.repeatable()
    name = store.grants.family_name(grant.id)
    grant_id = store.families.grant_id(name)
    await store.redemptions.note_use(grant_id, int(store.clock()) - age)
    assert (await store.redemptions.find(name) is not None) is is_there


async def test_an_id_of_another_installation_deletes_nothing(store: Store) -> None:
    grant, tokens = await store.repeatable()
    await store.redemptions.note_use("A" * 32)
    await store.redemptions.note_use("")
    assert await store.redemptions.find(store.grants.family_name(grant.id)) == tokens


async def test_a_seed_alone_is_no_token(store: Store, another: MakeStore) -> None:
    """Its secrets need the installation's key, and no two are alike."""
    tokens = store.tokens()
    secrets = {
        store.redemptions.opaque_secret(tokens),
        store.redemptions.refresh_token(tokens, "name").secret,
        store.redemptions.opaque_secret(store.tokens()),
    }
    assert len(secrets) == 3
    same = (await another()).redemptions.opaque_secret(tokens)
    assert same in secrets
    await store.connection.command("FLUSHALL")
    assert (await another()).redemptions.opaque_secret(tokens) not in secrets


def test_seeds() -> None:
    assert len(new_seed()) == SEED_BYTES
    assert new_seed() != new_seed()


async def test_without_a_grace_nothing_is_stored(store: Store) -> None:
    strict = Redemptions(store.connection, store.installation, 0, store.clock)
    assert strict.repeatable(store.tokens(), 3600) is None
    kept = store.redemptions.repeatable(store.tokens(), 7)
    assert kept is not None
    assert kept.kept_ms == 7000, "no repetition gives an expired token"
