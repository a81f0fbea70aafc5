"""Sealing the keys of an installation that runs, by a first envelope key and by a new one."""

from collections.abc import Callable

import pytest

from deviceflow.signing.keys import is_usable, new_key
from deviceflow.store import keyspace
from deviceflow.store.envelope import Envelope, EnvelopeError
from deviceflow.store.errors import RecordContended
from deviceflow.store.installation import Installation
from deviceflow.store.key_sets import KEYS_IN_SET
from deviceflow.store.sealing import seal_all
from deviceflow.store.signing_keys import SigningKeys
from tests.stage.store import Store

OLD, NEW = bytes(range(32)), bytes(range(32, 64))


def ring(*keys: bytes) -> Envelope:
    return Envelope(lambda: keys)


def signing_keys(store: Store, installation: Installation) -> SigningKeys:
    return SigningKeys(store.connection, installation, 60, is_usable, store.clock)


async def seal(store: Store, by: Envelope, *, is_sealed: bool = True) -> int:
    """What the command does."""
    installation = await Installation.open(store.connection, by)
    keys = signing_keys(store, installation)
    return await seal_all(store.connection, installation, keys, is_sealed=is_sealed)


async def opens(store: Store, by: Envelope) -> bool:
    """Whether a server with these envelope keys would start, with the same keys as ever."""
    try:
        installation = await Installation.open(store.connection, by)
        (key,) = await signing_keys(store, installation).live_keys()
    except EnvelopeError:
        return False
    assert installation.keys == store.installation.keys
    assert "d" in key.jwk
    return True


async def test_seal_seal_by_another_key_and_unseal(each_store: Store) -> None:
    store = each_store
    key = new_key("ES256", 1)
    await signing_keys(store, store.installation).add_first(key)
    before = await store.connection.command("HGETALL", keyspace.INSTALLATION)
    await store.connection.command("HSET", keyspace.INSTALLATION, "later", "x")

    assert await seal(store, ring(OLD)) == KEYS_IN_SET + 1
    assert [await opens(store, ring(*keys)) for keys in ([OLD], [NEW], [])] == [True, False, False]
    (record,) = (await store.connection.command("HGETALL", keyspace.SIGNING_KEYS)).values()
    assert key.jwk["x"].encode() in record, "what is public can be read"
    assert b'"v":2' in record, "an older version leaves it alone"

    assert await seal(store, ring(NEW, OLD)) == KEYS_IN_SET + 1
    assert [await opens(store, ring(key)) for key in (OLD, NEW)] == [False, True]
    assert await seal(store, ring(NEW)) == KEYS_IN_SET + 1, "a repetition is no change"

    assert await seal(store, ring(NEW), is_sealed=False) == KEYS_IN_SET + 1
    assert await opens(store, ring())
    after = await store.connection.command("HGETALL", keyspace.INSTALLATION)
    assert after == before | {b"later": b"x"}, "and the version before can read it"
    (record,) = (await store.connection.command("HGETALL", keyspace.SIGNING_KEYS)).values()
    assert b'"v"' not in record


async def test_a_running_worker_takes_it_in(each_store: Store) -> None:
    """With the envelope key or without: what it knows stays good."""
    store = each_store
    with_key = await Installation.open(store.connection, ring(OLD))
    before = with_key.fields()
    await seal(store, ring(OLD))
    assert await with_key.take_changes(store.connection)
    assert with_key.is_sealed
    assert with_key.fields() != before
    assert not await with_key.take_changes(store.connection)
    with pytest.raises(EnvelopeError):
        await store.installation.take_changes(store.connection)
    assert store.installation.keys == with_key.keys
    await store.connection.command("FLUSHALL")
    assert not await with_key.take_changes(store.connection), "a loss is another thing"
    assert await with_key.refresh(store.connection)
    assert with_key.is_sealed, "an installation that begins with an envelope key is sealed"


async def test_two_commands_at_once(each_store: Store) -> None:
    store = each_store
    slower = await Installation.open(store.connection, ring(NEW, OLD))
    await seal(store, ring(OLD))
    keys = signing_keys(store, slower)
    assert await seal_all(store.connection, slower, keys, is_sealed=True) == KEYS_IN_SET
    assert (await Installation.open(store.connection, ring(NEW))).is_sealed


async def test_a_command_that_is_always_too_late(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def too_late(*_: object, **__: object) -> bool:
        return False

    replace: Callable[..., object] = too_late
    monkeypatch.setattr(Installation, "store_again", replace)
    with pytest.raises(RecordContended, match="again and again"):
        await seal(store, ring(OLD))
