"""A copy of the store alone, and what an envelope key makes of it."""

from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from deviceflow.signing.keys import is_usable, new_key
from deviceflow.store.connection import Connection
from deviceflow.store.envelope import Envelope, EnvelopeError, is_sealed
from deviceflow.store.installation import Installation
from deviceflow.store.signing_keys import SigningKeys
from deviceflow.store.snapshot import read_all
from tests.stage.clock import Clock
from tests.stage.store import Store

OLD, NEW = bytes(range(32)), bytes(range(32, 64))


def envelope(*keys: bytes) -> Envelope:
    return Envelope(lambda: keys)


def test_a_secret_is_opened_for_its_purpose_by_its_key_only() -> None:
    sealed = envelope(OLD).seal("signing key 1", b"secret")
    assert is_sealed(sealed)
    assert b"secret" not in sealed
    assert not is_sealed(b"secret")
    assert envelope(NEW, OLD).open("signing key 1", sealed) == b"secret"
    with pytest.raises(EnvelopeError, match="damaged or sealed for others"):
        envelope(OLD).open("signing key 2", sealed)
    with pytest.raises(EnvelopeError, match=f"by the envelope key {envelope(OLD).key_id}, and"):
        envelope(NEW).open("signing key 1", sealed)
    with pytest.raises(EnvelopeError, match=r"this host has none; set keys\.envelope_file"):
        envelope().open("signing key 1", sealed)
    for place in range(4, len(sealed)):
        damaged = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        with pytest.raises(EnvelopeError):
            envelope(OLD).open("signing key 1", damaged)


def test_the_first_key_seals() -> None:
    ring = [OLD]
    both = Envelope(lambda: ring)
    before = both.seal("x", b"secret")
    ring.insert(0, NEW)
    both.read_again()
    assert both.key_id == envelope(NEW).key_id
    assert envelope(NEW).open("x", both.seal("x", b"secret")) == b"secret"
    assert both.open("x", before) == b"secret"
    assert both.seal("x", b"secret") != both.seal("x", b"secret"), "a nonce is never used again"


def parts_of(value: Any) -> Iterator[bytes]:  # noqa: ANN401, whatever a record holds
    """All bytes in the value of a record."""
    if isinstance(value, list | tuple):
        for part in value:
            yield from parts_of(part)
    else:
        yield value if isinstance(value, bytes) else str(value).encode()


async def dump(connection: Connection, clock: Clock) -> bytes:
    """Every value in the store, one after the other."""
    values = [
        part async for record in read_all(connection, clock) for part in parts_of(record.value)
    ]
    return b"\n".join(values)


async def keys_in_the_store(connection: Connection, clock: Clock, by: Envelope) -> list[bool]:
    """Fill the store, and say for each key in it whether a dump shows it, in any usual form."""
    await connection.command("FLUSHALL")
    installation = await Installation.open(connection, by)
    store = Store(connection, installation, clock)
    signing = new_key("ES256", 1)
    keys = SigningKeys(connection, installation, 60, is_usable, clock)
    await keys.add_first(signing)
    await keys.rotate(rotated := new_key("RS256", 2))
    await store.family()
    await store.issue()
    only = installation.keys.sets[0]
    private = [str(key.jwk[name]).encode() for key in (signing, rotated) for name in ("d",)]
    secrets = [only.device_code, only.name, only.challenge]
    everything = (await dump(connection, clock)).lower()
    forms: list[Callable[[bytes], bytes]] = [
        bytes,
        urlsafe_b64encode,
        lambda key: key.hex().encode(),
    ]
    shown = [any(form(key).strip(b"=").lower() in everything for form in forms) for key in secrets]
    return shown + [key.lower() in everything for key in private]


async def test_a_dump_of_the_store_has_no_key(connection: Connection, clock: Clock) -> None:
    assert await keys_in_the_store(connection, clock, envelope()) == [True] * 5
    assert await keys_in_the_store(connection, clock, envelope(OLD)) == [False] * 5


async def test_what_is_sealed_serves_another_worker(connection: Connection, clock: Clock) -> None:
    await connection.command("FLUSHALL")
    first = Store(connection, await Installation.open(connection, envelope(OLD)), clock)
    key = new_key("ES256", 1)
    await SigningKeys(connection, first.installation, 60, is_usable, clock).add_first(key)
    code = (await first.issue()).device_code.encode()
    other = await Installation.open(connection, envelope(NEW, OLD))
    assert other.codes.open(code, b"tv-app") is not None
    assert await SigningKeys(connection, other, 60, is_usable, clock).live_keys() == [key]
    for wrong in (envelope(), envelope(NEW)):
        with pytest.raises(EnvelopeError):
            await Installation.open(connection, wrong)
