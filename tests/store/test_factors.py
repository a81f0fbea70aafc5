"""The factors of people, on fakeredis and on a real server alike."""

import asyncio

import pytest
from msgspec.structs import replace

from deviceflow.store import keyspace
from deviceflow.store.errors import RecordUnreadable
from deviceflow.store.factors import (
    NONE,
    Authenticator,
    Factors,
    FactorStore,
    Passkey,
    remove_factors,
)
from tests.stage.store import Store

APP = Authenticator(secret=b"\0encrypted", added_at=1, used_step=5)
PASSKEY = Passkey(id="abc", public_key=b"\1key", sign_count=0, name="Phone", added_at=2)


def factors_of(store: Store) -> FactorStore:
    return FactorStore(store.connection, store.installation)


def with_app(factors: Factors) -> Factors:
    return replace(factors, authenticator=APP)


async def test_factors_are_kept_by_subject(each_store: Store) -> None:
    factors = factors_of(each_store)
    assert await factors.of("sub-ada") == NONE
    assert await factors.change("sub-ada", with_app)
    await factors.change("sub-ada", lambda before: replace(before, passkeys=(PASSKEY,)))
    kept = await factors.of("sub-ada")
    assert (kept.authenticator, kept.passkeys) == (APP, (PASSKEY,))
    assert kept.passkey("abc") == PASSKEY
    assert kept.passkey("other") is None
    assert await factors.of("sub-bob") == NONE


async def test_a_refused_change_changes_nothing(each_store: Store) -> None:
    factors = factors_of(each_store)
    assert await factors.change("sub-ada", lambda _: None) is None
    assert await factors.of("sub-ada") == NONE
    assert not await each_store.connection.command("EXISTS", keyspace.FACTORS)


async def test_what_many_want_to_use_at_once_is_used_once(each_store: Store) -> None:
    """A recovery code: of several requests at the same time, one succeeds."""
    factors = factors_of(each_store)
    await factors.change("sub-ada", lambda before: replace(before, recovery=("a", "b")))

    def use(before: Factors) -> Factors | None:
        left = tuple(each for each in before.recovery if each != "a")
        return None if left == before.recovery else replace(before, recovery=left)

    uses = await asyncio.gather(*(factors.change("sub-ada", use) for _ in range(12)))
    assert len([use for use in uses if use]) == 1
    assert (await factors.of("sub-ada")).recovery == ("b",)


async def test_a_credential_id_belongs_to_one_person(each_store: Store) -> None:
    factors = factors_of(each_store)
    assert await factors.claim_passkey("abc", "sub-ada")
    assert await factors.claim_passkey("abc", "sub-ada"), "a repetition"
    assert not await factors.claim_passkey("abc", "sub-bob")
    assert await factors.owner_of("abc") == "sub-ada"
    await factors.forget_passkey("abc")
    assert await factors.owner_of("abc") is None


async def test_all_factors_are_removed(each_store: Store) -> None:
    factors = factors_of(each_store)
    await factors.claim_passkey("abc", "sub-ada")
    await factors.change("sub-ada", lambda _: Factors(authenticator=APP, passkeys=(PASSKEY,)))
    removed = await remove_factors(each_store.connection, "sub-ada")
    assert removed.authenticator == APP
    assert await factors.of("sub-ada") == NONE
    assert await factors.owner_of("abc") is None
    assert await remove_factors(each_store.connection, "sub-ada") == NONE


async def test_secrets_are_encrypted_for_one_person(each_store: Store) -> None:
    factors = factors_of(each_store)
    encrypted = factors.encrypted("SECRET", "sub-ada")
    assert b"SECRET" not in encrypted
    assert factors.decrypted(encrypted, "sub-ada") == "SECRET"
    assert factors.decrypted(encrypted, "sub-bob") is None
    await each_store.connection.command("DEL", keyspace.INSTALLATION)
    await each_store.installation.refresh(each_store.connection)
    assert factors.decrypted(encrypted, "sub-ada") is None


async def test_hashes_and_handles_differ_between_people(each_store: Store) -> None:
    factors = factors_of(each_store)
    assert factors.recovery_hash("BCDF", "sub-ada") != factors.recovery_hash("BCDF", "sub-bob")
    assert factors.user_handle("sub-ada") != factors.user_handle("sub-bob")
    assert b"ada" not in factors.user_handle("sub-ada")


@pytest.mark.parametrize("record", [b"", b"{", b"[]", b'{"v":2}', b'{"passkeys":1}', b"\xff"])
async def test_a_damaged_record_signs_nobody_in(each_store: Store, record: bytes) -> None:
    """It is not taken for a person without factors."""
    await each_store.connection.command("HSET", keyspace.FACTORS, "sub-ada", record or b" ")
    with pytest.raises(RecordUnreadable):
        await factors_of(each_store).of("sub-ada")
