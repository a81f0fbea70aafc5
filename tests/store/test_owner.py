"""The issuer that a store belongs to."""

import asyncio
from collections.abc import Callable

import pytest

from deviceflow.core.store_url import StoreUrl
from deviceflow.store import keyspace
from deviceflow.store.errors import StoreSetupError
from deviceflow.store.installation import Installation
from deviceflow.store.owner import (
    ForeignStoreError,
    check_issuer,
    issuer_in,
    move_to_issuer,
    note_issuer,
    noted_issuer,
)
from tests.stage.clock import Clock
from tests.stage.store import Store
from tests.stage.valkey import Valkey, open_connection
from tests.stage.waiting import subscribed, unsubscribed

REAL, STAGE = "https://login.example.com", "https://stage.example.com"


async def test_the_first_issuer_has_the_store(each_store: Store) -> None:
    """All hosts of one issuer start at the same time, and none of another one does."""
    connection = each_store.connection
    assert await noted_issuer(connection) == ""
    news = await asyncio.gather(*(note_issuer(connection, REAL) for _ in range(5)))
    assert any(news)
    assert not await note_issuer(connection, REAL)
    with pytest.raises(ForeignStoreError, match=f"belongs to the issuer {REAL}") as refused:
        await note_issuer(connection, STAGE)
    assert "redis://HOST/1" in str(refused.value)
    assert "deviceflow issuer --move" in str(refused.value)
    assert await noted_issuer(connection) == REAL


async def test_the_secrets_stay_as_they_are(each_store: Store) -> None:
    before = each_store.installation
    await note_issuer(each_store.connection, REAL)
    after = await Installation.open(each_store.connection)
    assert after.keys == before.keys
    assert (issuer_in(before.fields()), issuer_in(after.fields())) == ("", REAL)
    check_issuer(issuer_in(after.fields()), REAL)
    with pytest.raises(ForeignStoreError):
        check_issuer(issuer_in(after.fields()), STAGE)


async def test_a_trial_gives_way(each_store: Store) -> None:
    connection = each_store.connection
    assert await note_issuer(connection, "http://127.0.0.1:8628")
    assert await note_issuer(connection, REAL)
    with pytest.raises(ForeignStoreError):
        await note_issuer(connection, "http://127.0.0.1:8628")


async def test_a_store_is_moved_while_no_server_runs(store: Store) -> None:
    await note_issuer(store.connection, REAL)
    async with store.fed():
        await subscribed(store.connection)
        with pytest.raises(StoreSetupError, match="a server is running on this store"):
            await move_to_issuer(store.connection, STAGE)
    await unsubscribed(store.connection)
    assert await move_to_issuer(store.connection, STAGE) == REAL
    assert not await note_issuer(store.connection, STAGE)
    with pytest.raises(ForeignStoreError):
        await note_issuer(store.connection, REAL)


async def test_two_databases_of_a_server_are_two_stores(
    start_valkey: Callable[..., Valkey], clock: Clock
) -> None:
    """They share no key, and do not hear each other: a channel is of the whole server."""
    url = start_valkey().url
    assert StoreUrl.parse(url).db == 0
    connection, other = open_connection(url), open_connection(f"{url}?db=1")
    store = Store(connection, await Installation.open(connection), clock)
    await note_issuer(store.connection, REAL)
    await Installation.open(other)
    assert await note_issuer(other, STAGE)
    assert await noted_issuer(store.connection) == REAL
    async with store.fed():
        await subscribed(store.connection)
        assert await other.subscribers(keyspace.CHANNEL) == 0
        async with other.subscription(keyspace.CHANNEL) as heard:
            await heard.get_message(timeout=5)
            await store.connection.publish(keyspace.CHANNEL, "changed")
            await other.publish(keyspace.CHANNEL, "own")
            message = await heard.get_message(timeout=5)
    assert message["data"] == b"own"
    await connection.close()
    await other.close()
