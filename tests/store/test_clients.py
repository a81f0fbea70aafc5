"""Clients in the store."""

import asyncio

import msgspec
import pytest
from structlog.testing import capture_logs

from deviceflow.core.client import Client, Clients
from deviceflow.store.changes import REVISION_KEY
from deviceflow.store.clients import CLIENTS_KEY, StoredClients
from deviceflow.store.errors import RecordUnreadable
from deviceflow.store.mirror import CATCH_UP_S
from tests.store.conftest import Store

TV = Client(client_id="tv", name="TV", scopes=("openid",), jwks={"keys": [{"kty": "EC"}]})


@pytest.fixture
def stored(store: Store) -> StoredClients:
    return StoredClients(store.connection)


async def test_its_life(stored: StoredClients) -> None:
    assert await stored.all() == []
    assert await stored.find("tv") is None
    await stored.put(TV)
    await stored.put(Client(client_id="a", name="A"))
    assert [client.client_id for client in await stored.all()] == ["a", "tv"]
    assert await stored.find("tv") == TV
    changed = msgspec.structs.replace(TV, enabled=False)
    await stored.put(changed)
    assert await stored.find("tv") == changed
    assert await stored.remove("tv")
    assert not await stored.remove("tv")
    assert await stored.find("tv") is None


async def test_registrations(stored: StoredClients) -> None:
    """RFC 7592: the token's hash goes with the client."""
    assert await stored.registration("tv") is None
    await stored.put(TV)
    await stored.put_registration("tv", "hash")
    assert await stored.registration("tv") == "hash"
    await stored.remove("tv")
    assert await stored.registration("tv") is None


async def test_above_the_file() -> None:
    """A stored client stands before one of the file, which is there again without it."""
    known = Clients([TV])
    heard: list[bool] = []
    known.on_change(lambda: heard.append(True))
    known.adopt([msgspec.structs.replace(TV, enabled=False), Client(client_id="a", name="A")])
    found = known.find("tv")
    assert found is not None
    assert not found.enabled
    assert len(list(known)) == 2
    known.adopt([])
    assert list(known) == [TV]
    assert heard == [True, True]


LATER = b'{"client_id":"tv","name":"TV","enabled":false,"y":1}'


@pytest.mark.parametrize("record", [LATER, b"{", b"", b'{"client_id":"tv","name":"\xff"}'])
async def test_a_record_that_cannot_be_read(
    stored: StoredClients, store: Store, record: bytes
) -> None:
    """Of a later version, perhaps: it keeps nobody from reading the others, and nobody in.

    Were it passed over, the file's client would be back, which may have been disabled.
    """
    await stored.put(Client(client_id="a", name="A"))
    await store.connection.command("HSET", CLIENTS_KEY, "tv", record)
    known = Clients([TV])
    with capture_logs() as logs:
        for _ in range(3):
            known.adopt(await stored.all())
    found = known.find("tv")
    assert found is not None
    assert not found.enabled
    assert [client.client_id for client in known if client.enabled] == ["a"]
    (line,) = logs
    assert (line["event"], line["client_id"]) == ("client.unreadable", "tv")
    assert line["remedy"].endswith("deviceflow clients remove tv")
    with pytest.raises(RecordUnreadable, match="client tv cannot be read"):
        await stored.find("tv")
    await stored.put(TV)
    known.adopt(await stored.all())
    assert known.find("tv") == TV


async def test_every_worker_reads_again(stored: StoredClients, store: Store) -> None:
    """At once: a message on the channel; and the number grows for those who miss it."""
    reads: asyncio.Queue[None] = asyncio.Queue()

    async def reload() -> None:
        reads.put_nowait(None)

    store.mirror.reload = reload
    async with store.fed(), asyncio.timeout(5):
        await reads.get()
        for number in (1, 2):
            await stored.put(TV)
            await reads.get()
            assert await store.connection.command("GET", REVISION_KEY) == str(number).encode()


async def test_a_change_whose_message_was_lost(store: Store) -> None:
    """The number is read once a second: whoever changed something may have died after it."""
    reads: asyncio.Queue[None] = asyncio.Queue()

    async def reload() -> None:
        reads.put_nowait(None)

    store.mirror.reload = reload
    async with store.fed(), asyncio.timeout(5):
        await reads.get()
        await store.connection.command("INCR", REVISION_KEY)
        async with asyncio.timeout(CATCH_UP_S + 0.5):
            await reads.get()


async def test_read_again_after_data_was_lost(store: Store) -> None:
    """Though the number is the same as before: none."""
    reads: asyncio.Queue[None] = asyncio.Queue()

    async def reload() -> None:
        reads.put_nowait(None)

    store.mirror.reload = reload
    await store.mirror.catch_up()
    await store.mirror.catch_up()
    assert reads.qsize() == 1
    await store.connection.command("FLUSHALL")
    await store.mirror.catch_up()
    assert reads.qsize() == 2


async def test_a_read_that_fails_is_repeated(store: Store) -> None:
    """The number counts as read only when everything was."""
    reads: list[bool] = []

    async def reload() -> None:
        reads.append(True)
        if len(reads) == 1:
            raise ConnectionError

    store.mirror.reload = reload
    with pytest.raises(ConnectionError):
        await store.mirror.catch_up()
    await store.mirror.catch_up()
    await store.mirror.catch_up()
    assert len(reads) == 2
