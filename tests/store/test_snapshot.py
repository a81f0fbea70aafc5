"""A copy of the store: everything is in it, and comes back as it was."""

import asyncio
import json
from typing import Any

import pytest

from deviceflow.core.grant import State
from deviceflow.store import keyspace, snapshot
from deviceflow.store.connection import Connection
from deviceflow.store.installation import Installation
from deviceflow.store.sessions import Session
from deviceflow.store.snapshot import SnapshotError, StoredKey, read_all, restore
from tests.stage.clock import Clock
from tests.stage.store import ADA, Store

KINDS = {b"string": ("GET",), b"hash": ("HGETALL",), b"zset": ("ZRANGE", 0, -1, "WITHSCORES")}


# A TTL is read at one moment and set at another one.
A_MINUTE_MS = 60_000


async def contents(connection: Connection) -> dict[str, tuple[Any, Any]]:
    """Every key with its value and about its expiry, read without the code under test."""
    found = {}
    for key in await connection.command("KEYS", "*"):
        kind = await connection.command("TYPE", key)
        name, *rest = KINDS.get(kind, ("XRANGE", "-", "+"))
        value = await connection.command(name, key, *rest)
        expires_at_ms = await connection.command("PEXPIRETIME", key)
        found[key.decode()] = (value, pytest.approx(expires_at_ms, abs=A_MINUTE_MS, rel=0))
    return found


async def records(connection: Connection, clock: Clock) -> list[StoredKey]:
    return [record async for record in read_all(connection, clock)]


@pytest.fixture
async def full(store: Store) -> Store:
    """A store with a record of every kind."""
    await store.grant()
    await store.approved()
    await store.repeatable()
    await store.family()
    await store.sessions.start(Session("ada", ADA.sub, int(store.clock())))
    await store.connection.command("HSET", keyspace.CLIENTS, "tv", "{}")
    await store.connection.command("HSET", keyspace.USERS, "ada", "{}")
    await store.connection.command("HSET", keyspace.LINKS, "digest", "{}")
    await store.connection.command("HSET", keyspace.FACTORS, ADA.sub, "{}")
    await store.connection.command("HSET", keyspace.PASSKEYS, "credential", ADA.sub)
    await store.connection.command("ZADD", keyspace.limit("code", "x"), "1.5", "try")
    await store.connection.command("EXPIRE", keyspace.limit("code", "x"), 600)
    return store


async def test_everything_comes_back(full: Store) -> None:
    connection = full.connection
    before = await contents(connection)
    copied = await records(connection, full.clock)
    await connection.command("FLUSHALL")
    result = await restore(connection, copied, full.clock, replace=False)
    assert await contents(connection) == before
    assert result == (len(copied), 0)
    assert {record.kind for record in copied} == {"string", "hash", "zset", "stream"}


async def test_logins_go_on_in_another_store(full: Store, own: Store) -> None:
    """A pending grant is approved there; the token of a family is known."""
    grant = await full.approved()
    token, _ = await full.family()
    copied = await records(full.connection, full.clock)
    await restore(own.connection, copied, full.clock, replace=True)
    there = Store(own.connection, await Installation.open(own.connection), full.clock)
    assert (await there.read(grant)).state is State.APPROVED
    found = await there.families.find(token)
    assert found is not None
    assert found.is_good
    await there.feed.catch_up()
    assert grant.id in {int(name) for name in there.mirror.unresolved()} or (
        there.mirror.state_of(grant.id) is not State.PENDING
    )


async def test_a_large_key_is_read_in_pages(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "FIELDS_AT_ONCE", 10)
    connection = store.connection
    users = {f"user{number}": json.dumps({"number": number}) for number in range(2000)}
    for name, record in users.items():
        await connection.command("HSET", keyspace.USERS, name, record)
    for number in range(25):
        await connection.command("XADD", keyspace.DECISIONS, f"{number + 1}-0", "g", number)
    await connection.command("EXPIRE", keyspace.DECISIONS, 600)
    before = await contents(connection)
    copied = await records(connection, store.clock)
    assert sum(record.key == keyspace.USERS for record in copied) > 10
    assert sum(record.key == keyspace.DECISIONS for record in copied) == 3
    await restore(connection, copied, store.clock, replace=True)
    assert await contents(connection) == before


async def test_what_has_ended_is_left_out(store: Store) -> None:
    await store.grant()
    copied = await records(store.connection, store.clock)
    store.clock.advance(86_400 * 30)
    result = await restore(store.connection, copied, store.clock, replace=True)
    assert result.ended > 0
    left = set(await contents(store.connection))
    assert left <= keyspace.PERMANENT


async def test_data_is_not_overwritten_by_accident(full: Store) -> None:
    before = await contents(full.connection)
    copied = await records(full.connection, full.clock)
    with pytest.raises(SnapshotError, match="--replace"):
        await restore(full.connection, copied, full.clock, replace=False)
    assert await contents(full.connection) == before


async def test_no_server_may_run_on_the_store(full: Store) -> None:
    copied = await records(full.connection, full.clock)
    async with full.connection.subscription(keyspace.CHANNEL) as pubsub:
        assert (await anext(pubsub.listen()))["type"] in {"subscribe", "ssubscribe"}
        with pytest.raises(SnapshotError, match="a server is running"):
            await restore(full.connection, copied, full.clock, replace=True)


async def test_it_is_read_while_logins_happen(store: Store) -> None:
    """What was there before the copy and does not end is in it."""
    grants = [await store.grant() for _ in range(20)]
    done = asyncio.Event()

    async def log_in() -> None:
        while not done.is_set():
            await store.repeatable()

    logins = asyncio.create_task(log_in())
    copied = await records(store.connection, store.clock)
    done.set()
    await logins
    names = {record.key for record in copied}
    assert {keyspace.grant(store.grants.family_name(grant.id)) for grant in grants} <= names


async def test_an_unknown_kind_is_refused(connection: Connection, clock: Clock) -> None:
    strange = StoredKey("df:x", "list", 0, [b"1"])
    with pytest.raises(SnapshotError, match="unknown kind"):
        await restore(connection, [strange], clock, replace=False)
