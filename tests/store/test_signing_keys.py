"""Signing keys in the store: made once, rotated, withdrawn."""

import asyncio
import time

import msgspec
import pytest
from structlog.testing import capture_logs

from deviceflow.core.signing_key import SigningKey
from deviceflow.signing.keys import is_usable, new_key
from deviceflow.signing.signer import Signer
from deviceflow.store import keyspace
from deviceflow.store.signing_keys import LATE_S, SigningKeys
from tests.stage.store import Store

SIGNED_FOR_S = 3600


@pytest.fixture
def keys(store: Store) -> SigningKeys:
    return SigningKeys(store.connection, store.installation, SIGNED_FOR_S, is_usable, store.clock)


def ids(found: list[SigningKey]) -> set[str]:
    return {key.key_id for key in found}


async def test_the_first_of_its_algorithm(keys: SigningKeys) -> None:
    """Of many starts at once one wins; another algorithm has a first key of its own."""
    proposed = [new_key("ES256", 1) for _ in range(5)]
    found = await asyncio.gather(*(keys.add_first(key) for key in proposed))
    assert len({frozenset(ids(each)) for each in found}) == 1
    assert len(found[0]) == 1
    assert len(await keys.add_first(new_key("Ed25519", 1))) == 2


async def test_rotation(keys: SigningKeys, store: Store) -> None:
    """OIDC-10.1.1-a: the old key is there until all that it signed has expired."""
    old, new = new_key("ES256", int(store.clock())), new_key("ES256", int(store.clock()))
    other = new_key("Ed25519", 1)
    for key in (old, other):
        await keys.add_first(key)
    await keys.rotate(new)
    found = {key.key_id: key for key in await keys.live_keys()}
    assert found.keys() == {old.key_id, new.key_id, other.key_id}
    ends = int(store.clock()) + SIGNED_FOR_S + LATE_S
    # That of another algorithm, too: the settings had it before.
    assert {key.expires_at for key in found.values() if key != new} == {ends}
    assert found[new.key_id].expires_at == 0
    store.clock.advance(SIGNED_FOR_S + LATE_S)
    assert ids(await keys.live_keys()) == {new.key_id}
    await keys.rotate(new_key("ES256", int(store.clock())))
    assert old.key_id.encode() not in await store.connection.command("HKEYS", keyspace.SIGNING_KEYS)


@pytest.mark.parametrize("skew", [0, -100, 100])
async def test_the_new_key_signs(keys: SigningKeys, skew: int) -> None:
    """Also in the same second, and also where two hosts' clocks differ."""
    for _ in range(8):
        await keys.add_first(new_key("ES256", 1000))
        new = new_key("ES256", 1000 + skew)
        await keys.rotate(new)
        found = await keys.live_keys()
        assert found[-1].key_id == new.key_id
        assert Signer(found, "ES256", time.time).signing_key.key_id == new.key_id
        assert Signer(reversed(found), "ES256", time.time).signing_key.key_id == new.key_id


async def test_rotated_again_before_anything_expired(keys: SigningKeys, store: Store) -> None:
    """The date of a key that was superseded before is not put off."""
    first = new_key("ES256", 1)
    await keys.add_first(first)
    await keys.rotate(new_key("ES256", 2))
    store.clock.advance(100)
    await keys.rotate(new_key("ES256", 3))
    found = {key.key_id: key for key in await keys.live_keys()}
    assert len(found) == 3
    expected = int(store.clock()) - 100 + SIGNED_FOR_S + LATE_S
    assert found[first.key_id].expires_at == expected


async def test_withdrawn(keys: SigningKeys) -> None:
    """At once, and every worker is told."""
    old, new = new_key("ES256", 1), new_key("ES256", 2)
    await keys.add_first(old)
    await keys.rotate(new)
    assert await keys.retire(old.key_id)
    assert not await keys.retire(old.key_id)
    assert ids(await keys.live_keys()) == {new.key_id}


async def test_a_first_key_is_announced_and_no_second(keys: SigningKeys, store: Store) -> None:
    """Workers that run have to publish it; one that reads the keys again must change nothing."""
    for algorithm, revision in (("ES256", b"1"), ("ES256", b"1"), ("Ed25519", b"2")):
        await keys.add_first(new_key(algorithm, 1))
        assert await store.connection.command("GET", keyspace.REVISION) == revision


async def test_a_superseded_key_is_no_first(keys: SigningKeys, store: Store) -> None:
    """Its successor was withdrawn, say: what it signed from now on would outlive it."""
    old, new, third = [new_key("ES256", 1) for _ in range(3)]
    await keys.add_first(old)
    await keys.rotate(new)
    await keys.retire(new.key_id)
    found = await keys.add_first(third)
    assert ids(found) == {old.key_id, third.key_id}
    assert found[-1] == third
    store.clock.advance(SIGNED_FOR_S + LATE_S)
    assert ids(await keys.live_keys()) == {third.key_id}


PUBLIC = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b'{"alg":"ES256"',
        b'{"jwk":{"alg":"ES256","kid":"k"},"created_at":"later"}',
        b'{"jwk":{"alg":"ES256","kid":"k","kty":"AKP"},"created_at":1}',
        b'{"jwk":{"alg":"ES256","kty":"EC"},"created_at":1}',
        b'{"jwk":{"alg":"ES256","kid":"\xff"},"created_at":1}',
        msgspec.json.encode({"jwk": PUBLIC | {"alg": "ES256", "kid": "k"}, "created_at": 1}),
    ],
)
async def test_a_record_that_cannot_be_read(keys: SigningKeys, store: Store, record: bytes) -> None:
    """Of a later version, perhaps: one line says so, the others sign, and it stays where it is."""
    await store.connection.command("HSET", keyspace.SIGNING_KEYS, "k", record)
    with capture_logs() as logs:
        first = new_key("ES256", 1)
        assert await keys.add_first(first) == [first]
        new = new_key("ES256", 2)
        await keys.rotate(new)
        assert ids(await keys.live_keys()) == {first.key_id, new.key_id}
    (line,) = logs
    assert (line["event"], line["key_id"]) == ("signing_key.unreadable", "k")
    assert line["remedy"].endswith("deviceflow keys retire k")
    assert await store.connection.command("HGET", keyspace.SIGNING_KEYS, "k") == record
    assert await keys.retire("k")
