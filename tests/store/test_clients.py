"""Clients in the store."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import msgspec
import pytest
from structlog.testing import capture_logs

from deviceflow.config import Settings
from deviceflow.core.client import UNNAMED, Client
from deviceflow.core.clients import Clients
from deviceflow.start import prepare
from deviceflow.store import keyspace, scripts
from deviceflow.store.clients import MENDED_AT_ONCE, TRIES, StoredClients
from deviceflow.store.connection import Connection
from deviceflow.store.errors import NameTaken, RecordContended, RecordUnreadable
from tests.stage.lossy import lossy_path
from tests.stage.store import Store
from tests.stage.valkey import Valkey

MakeStore = Callable[[], Awaitable[Store]]

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
    """RFC 7592: the token's hash goes with the client, and leads to no other."""
    await stored.put_registration("tv", "hash")
    assert await stored.find("tv", "hash") is None
    await stored.put(TV)
    await stored.put(Client(client_id="a", name="A"))
    assert await stored.find("tv", "hash") == TV
    assert await stored.find("tv", "another") is None
    assert await stored.find("a", "hash") is None
    await stored.remove("tv")
    await stored.put(TV)
    assert await stored.find("tv", "hash") is None


async def test_a_registration_ends_with_a_change_to_none(stored: StoredClients) -> None:
    await stored.put_registration("tv", "hash")
    await stored.put(TV)
    with pytest.raises(LookupError):
        await stored.change("tv", renamed, "another")
    await stored.change("tv", lambda _: None, "hash")
    assert await stored.find("tv") is None
    await stored.put(TV)
    assert await stored.find("tv", "hash") is None


async def test_records_that_are_read_alone(stored: StoredClients) -> None:
    await stored.put(TV)
    assert await stored.some(["tv", "other"]) == {"tv": TV, "other": None}


def renamed(client: Client | None) -> Client:
    """An edit."""
    if client is None:
        raise LookupError
    return msgspec.structs.replace(client, name=f"{client.name} 2")


@contextmanager
def before_writing(
    connection: Connection, then: Callable[[], Awaitable[object]], times: int = 1
) -> Iterator[None]:
    """Have somebody else do `then` between the reading and the writing of a change."""
    change_named_client = scripts.change_named_client
    turns = iter(range(times))

    async def delayed(by: Connection, *args: Any, **options: Any) -> str:  # noqa: ANN401, as it is
        if by is connection and next(turns, None) is not None:
            await then()
        return await change_named_client(by, *args, **options)

    with mock.patch.object(scripts, "change_named_client", delayed):
        yield


async def test_another_change_in_between_is_not_lost(
    stored: StoredClients, another: MakeStore
) -> None:
    other = await another()
    await stored.put(TV)
    disabled = msgspec.structs.replace(TV, enabled=False)
    with before_writing(other.connection, lambda: stored.put(disabled)):
        after = await StoredClients(other.connection).change("tv", renamed)
    assert after == await stored.find("tv") == msgspec.structs.replace(disabled, name="TV 2")


async def test_a_removed_client_is_not_brought_back(
    stored: StoredClients, another: MakeStore
) -> None:
    """Its edit sees that it is gone, and the registration with it."""
    other = await another()
    await stored.put(TV)
    removing = before_writing(other.connection, lambda: stored.remove("tv"))
    with removing, pytest.raises(LookupError):
        await StoredClients(other.connection).change("tv", renamed)
    assert await stored.find("tv") is None


async def test_a_new_client_is_not_written_over(stored: StoredClients, another: MakeStore) -> None:
    other = await another()
    seen: list[Client | None] = []

    def new(before: Client | None) -> Client:
        seen.append(before)
        return before or Client(client_id="tv", name="Mine")

    with before_writing(other.connection, lambda: stored.put(TV)):
        assert await StoredClients(other.connection).change("tv", new) == TV
    assert seen == [None, TV]


async def test_many_writers_at_once(another: MakeStore) -> None:
    """Each on a connection of its own: every change is there in the end."""
    doors = [StoredClients((await another()).connection) for _ in range(4)]
    await doors[0].put(Client(client_id="tv", name="TV"))

    def adding(scope: str) -> Callable[[Client | None], Client]:
        def edit(before: Client | None) -> Client:
            assert before is not None
            return msgspec.structs.replace(before, scopes=(*before.scopes, scope))

        return edit

    async def write(number: int) -> None:
        for each in range(20):
            await doors[number].change("tv", adding(f"{number}:{each}"))

    await asyncio.gather(*map(write, range(4)))
    found = await doors[0].find("tv")
    assert found is not None
    assert sorted(found.scopes) == sorted(f"{n}:{each}" for n in range(4) for each in range(20))


async def test_others_are_always_faster(stored: StoredClients, another: MakeStore) -> None:
    """It ends, as the others left it, with a line for the operator."""
    other = await another()
    await stored.put(TV)

    def later(before: Client | None) -> Client:
        assert before is not None
        return msgspec.structs.replace(before, lifetime_s=(before.lifetime_s or 0) + 1)

    changing = before_writing(other.connection, lambda: stored.change("tv", later), times=1000)
    refused = pytest.raises(RecordContended, match="client tv was changed by others")
    with changing, refused as caught:
        await StoredClients(other.connection).change(
            "tv", lambda _: msgspec.structs.replace(TV, enabled=False)
        )
    assert "\n" not in str(caught.value)
    assert await stored.find("tv") == msgspec.structs.replace(TV, lifetime_s=TRIES)


async def test_a_change_whose_answer_was_lost(stored: StoredClients, valkey: Valkey) -> None:
    """redis-py repeats it: it is found done, and not done again."""
    await stored.put(TV)
    async with lossy_path(valkey.socket_path) as path:
        far = Connection.open(path.url)
        await StoredClients(far).change("a", lambda _: None)  # loads the script
        asked: list[Client | None] = []

        def edit(before: Client | None) -> Client:
            asked.append(before)
            return renamed(before)

        path.lose_answers(b"EVALSHA")
        after = await StoredClients(far).change("tv", edit)
        path.lose_answers(b"EVALSHA")
        await StoredClients(far).change("tv", lambda _: None)
        await far.close()
    assert path.lost == 2
    assert (after.name, asked) == ("TV 2", [TV])
    assert await stored.find("tv") is None


LATER = b'{"client_id":"tv","name":"TV","enabled":false,"v":3}'


@pytest.mark.parametrize("record", [LATER, b"{", b"", b'{"client_id":"tv","name":"\xff"}'])
async def test_a_record_that_cannot_be_read(
    stored: StoredClients, store: Store, record: bytes
) -> None:
    """Of a later version, perhaps: it keeps nobody from reading the others, and nobody in.

    Were it passed over, the file's client would be back, which may have been disabled.
    """
    await stored.put(Client(client_id="a", name="A"))
    await store.connection.command("HSET", keyspace.CLIENTS, "tv", record)
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


async def test_every_change_is_announced(stored: StoredClients, store: Store) -> None:
    for number, change in enumerate(
        (stored.put(TV), stored.change("tv", renamed), stored.remove("tv")), 1
    ):
        await change
        assert await store.connection.command("GET", keyspace.REVISION) == b"%d" % number


# Names


def clock_of(number: int, name: str = "Clock") -> Client:
    return Client(client_id=f"client_{number}", name=name)


async def entries(store: Store) -> list[bytes]:
    """Return the entries of names: folded, with the client's id."""
    found: list[bytes] = await store.connection.command("ZRANGE", keyspace.CLIENT_NAMES, 0, -1)
    return found


async def is_free(stored: StoredClients, name: str) -> bool:
    """Return whether a new client may have `name`, and take nothing."""
    try:
        await stored.register(Client(client_id="probe", name=name), "hash")
    except NameTaken:
        assert await stored.find("probe", "hash") is None
        return False
    await stored.remove("probe")
    return True


async def test_a_name_is_taken_until_its_client_has_another_or_is_gone(
    stored: StoredClients, store: Store
) -> None:
    await stored.register(clock_of(1), "hash")
    for twin in ("Clock", "CLOCK", "c l o c k", "Clo\u0301ck"):
        assert not await is_free(stored, twin)
    assert await is_free(stored, "Clocks")
    assert await is_free(stored, "Clo")
    await stored.change("client_1", renamed)
    assert await is_free(stored, "Clock")
    assert not await is_free(stored, "Clock 2")
    await stored.remove("client_1")
    assert await is_free(stored, "Clock 2")
    assert await entries(store) == []


async def test_a_refused_name_leaves_nothing_behind(stored: StoredClients, store: Store) -> None:
    await stored.register(clock_of(1), "hash")
    with pytest.raises(NameTaken):
        await stored.register(clock_of(2), "hash")
    assert await stored.find("client_2") is None
    assert await store.connection.command("HLEN", keyspace.REGISTRATIONS) == 1
    await stored.register(clock_of(3, "Bell"), "hash")
    with pytest.raises(NameTaken):
        await stored.change("client_3", lambda _: clock_of(3, "clock"), is_own_name=True)
    assert await stored.find("client_3") == clock_of(3, "Bell")


async def test_the_name_that_a_client_has_is_its_own(stored: StoredClients) -> None:
    await stored.register(clock_of(1), "hash")
    await stored.change("client_1", lambda _: clock_of(1, "clock"), is_own_name=True)
    await stored.change("client_1", lambda _: clock_of(1), is_own_name=True)
    again = msgspec.structs.replace(clock_of(1), enabled=False)
    await stored.put(clock_of(2))
    assert await stored.change("client_1", lambda _: again, is_own_name=True) == again


async def test_the_operator_may_give_a_name_twice(stored: StoredClients) -> None:
    """It is taken until both are gone."""
    for number in (1, 2):
        await stored.put(clock_of(number))
    await stored.remove("client_1")
    assert not await is_free(stored, "Clock")
    await stored.remove("client_2")
    assert await is_free(stored, "Clock")


async def test_many_clients_without_a_name(stored: StoredClients) -> None:
    for number in range(3):
        await stored.register(clock_of(number, UNNAMED), "hash")
    assert len(await stored.all()) == 3


async def test_a_name_that_many_want_at_once(stored: StoredClients, another: MakeStore) -> None:
    """One has it: the look and the writing are one step."""
    doors = [StoredClients((await another()).connection) for _ in range(4)]
    outcomes = await asyncio.gather(
        *(doors[n % 4].register(clock_of(n), "hash") for n in range(20)), return_exceptions=True
    )
    assert [type(each) for each in outcomes if each is not None] == [NameTaken] * 19
    assert len(await stored.all()) == 1


async def test_a_client_that_could_not_be_read_keeps_no_name(
    stored: StoredClients, store: Store
) -> None:
    await stored.register(clock_of(1), "hash")
    await store.connection.command("HSET", keyspace.CLIENTS, "client_1", "{")
    assert not await is_free(stored, "Clock")
    assert await stored.remove("client_1")
    assert await is_free(stored, "Clock")


async def test_a_store_of_before_the_entries(stored: StoredClients, store: Store) -> None:
    """At the start of a server every client gets its entry, and wrong entries go."""
    command = store.connection.command
    count = 2 * MENDED_AT_ONCE + 7
    for number in range(count):
        record = msgspec.json.encode(clock_of(number, f"Clock {number}"))
        await command("HSET", keyspace.CLIENTS, f"client_{number}", record)
    await command("HSET", keyspace.CLIENTS, "later", LATER)
    await command("ZADD", keyspace.CLIENT_NAMES, 0, "clock0 gone", 0, "old client_1")
    assert await is_free(stored, "Clock 5")
    for _ in range(2):
        await stored.all()
        await stored.mend_names()
        found = await entries(store)
        assert sorted(found) == sorted(b"clock%d client_%d" % (n, n) for n in range(count))
    assert not await is_free(stored, "Clock 5")
    assert await is_free(stored, "old")


async def test_mending_looks_at_nothing_that_changed_meanwhile(
    stored: StoredClients, store: Store, another: MakeStore
) -> None:
    other = StoredClients((await another()).connection)
    command = store.connection.command
    await command("HSET", keyspace.CLIENTS, "client_1", msgspec.json.encode(clock_of(1)))
    await command("HSET", keyspace.CLIENTS, "client_2", msgspec.json.encode(clock_of(2, "Bell")))
    await stored.all()
    await other.change("client_1", renamed)
    await other.remove("client_2")
    await stored.mend_names()
    assert await entries(store) == [b"clock2 client_1"]


async def test_a_start_mends_the_names(store: Store, valkey: Valkey) -> None:
    command = store.connection.command
    await command("HSET", keyspace.CLIENTS, "client_1", msgspec.json.encode(clock_of(1)))
    await prepare(Settings(), valkey.url)
    assert await entries(store) == [b"clock client_1"]


async def test_a_record_has_only_what_is_set(store: Store) -> None:
    """A release that does not know a new field reads a client that does not use it."""
    clients = StoredClients(store.connection)
    client = Client(client_id="tv", name="TV", scopes=("openid",))
    await clients.put(client)
    record = await store.connection.command("HGET", keyspace.CLIENTS, "tv")
    assert msgspec.json.decode(record) == {"client_id": "tv", "name": "TV", "scopes": ["openid"]}
    assert await clients.find("tv") == client
