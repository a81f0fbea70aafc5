"""A worker has the clients and keys that the store has, from its first request on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any
from unittest import mock

import msgspec
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from deviceflow.config import Device, Settings, Tokens
from deviceflow.core.client import Client
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.ops.reloads import MOST, log_client_changes
from deviceflow.parts import Parts, open_parts
from deviceflow.reload import open_signing_keys
from deviceflow.signing.errors import BadToken
from deviceflow.signing.keys import new_key
from deviceflow.start import prepare
from deviceflow.store import keyspace
from deviceflow.store.announcements import ClientChange, announce_change, announce_client
from deviceflow.store.clients import StoredClients
from deviceflow.store.connection import Connection
from deviceflow.store.envelope import NO_ENVELOPE, Envelope
from deviceflow.store.feed import CATCH_UP_S
from deviceflow.store.sealing import seal_all
from deviceflow.store.signing_keys import SigningKeys
from deviceflow.tasks import end
from tests.stage.clock import Clock
from tests.stage.valkey import Valkey
from tests.stage.waiting import in_time, subscribed, until

PACE_SLOTS = 1024
TV = Client(client_id="tv", name="TV")
SETTINGS = Settings(device=Device(pace_slots=PACE_SLOTS), clients=(TV,))

MakeParts = Callable[..., Awaitable[Parts]]


@pytest.fixture
async def make_parts(
    connection: Connection, valkey: Valkey, clock: Clock
) -> AsyncIterator[MakeParts]:
    """The parts of another worker of another host, with an algorithm of its own."""
    await connection.command("PING")
    async with AsyncExitStack() as opened:

        async def make(
            algorithm: str = "ES256", url: str = "", envelope: Envelope = NO_ENVELOPE
        ) -> Parts:
            tokens = Tokens(algorithm=algorithm)  # type: ignore[arg-type]
            settings = msgspec.structs.replace(SETTINGS, tokens=tokens)
            own = Connection.open(url or valkey.url)
            opened.push_async_callback(own.close)
            secrets = await prepare(settings, url or valkey.url, envelope)
            pace = memoryview(bytearray(8 * PACE_SLOTS))
            parts = open_parts(settings, own, secrets, pace, clock, clock, Recorder.alone())
            opened.callback(parts.users.close)
            return parts

        yield make


def keys_of(parts: Parts) -> SigningKeys:
    """What an operator at that host would change."""
    return open_signing_keys(parts.settings, parts.connection, parts.installation, parts.clock)


def published(parts: Parts) -> set[str]:
    return {key["kid"] for key in parts.signer.jwks()["keys"]}


async def settled(*workers: Parts) -> None:
    """Every worker has read what there is to read."""
    for _ in range(3):
        for parts in workers:
            await parts.feed.catch_up()


async def test_the_feed_is_wired(make_parts: MakeParts) -> None:
    """Its hints are resolved by the grants, and it looks at the log once a second."""
    parts = await make_parts()
    assert parts.feed.catch_up_s == CATCH_UP_S
    assert parts.feed.mirror is parts.mirror
    assert parts.feed.ask == parts.grants.state_of


async def test_a_first_key_of_another_algorithm(make_parts: MakeParts) -> None:
    """OIDC-10.1.1-a: a worker that runs publishes it, as does one whose settings name it."""
    running = await make_parts()
    living = running.live(web.Application())
    await anext(living)
    other = await make_parts("Ed25519")
    new = other.signer.signing_key.key_id
    await until(lambda: new in published(running))
    assert len(published(running)) == 2
    await anext(living, None)


async def test_two_algorithms_during_a_roll_out(make_parts: MakeParts, clock: Clock) -> None:
    """OIDC-10.1.1-a: a rotation at either host takes nothing from what the other one signs."""
    old, new = await make_parts("ES256"), await make_parts("Ed25519")
    await settled(old, new)
    before = old.signer.sign({"jti": "before"}, "jwt")
    await keys_of(new).rotate(new_key("Ed25519", int(clock())))
    await settled(old, new)
    after = old.signer.sign({"jti": "after"}, "jwt")
    for parts in (old, new):
        assert parts.signer.verify(before).claims == {"jti": "before"}
        assert parts.signer.verify(after).claims == {"jti": "after"}
    # All that the old host's first key has signed is over; what it signs now is not.
    clock.advance(2 * SETTINGS.tokens.access_token_lifetime_s)
    late = old.signer.sign({"jti": "late"}, "jwt")
    for parts in (old, new, await make_parts("Ed25519")):
        assert parts.signer.verify(late).claims == {"jti": "late"}
        with pytest.raises(BadToken):
            parts.signer.verify(before)


async def test_an_algorithm_that_is_used_no_more(make_parts: MakeParts, clock: Clock) -> None:
    """OIDC-10.1.1-a: its keys end with the next rotation; nobody makes another."""
    for algorithm in ("ES256", "Ed25519"):
        parts = await make_parts(algorithm)
    assert len(published(parts)) == 2
    key = new_key("Ed25519", int(clock()))
    await keys_of(parts).rotate(key)
    await settled(parts)
    assert len(published(parts)) == 3
    clock.advance(2 * SETTINGS.tokens.access_token_lifetime_s)
    assert published(parts) == published(await make_parts("Ed25519")) == {key.key_id}


async def test_keys_after_the_store_lost_its_data(
    make_parts: MakeParts, connection: Connection
) -> None:
    """Put back once each, known to all, and nobody has the others read for ever."""
    workers = [await make_parts(), await make_parts(), await make_parts("Ed25519")]
    await settled(*workers)
    before = {parts.signer.signing_key.key_id for parts in workers}
    assert len(before) == 2
    await connection.command("FLUSHALL")
    await settled(*workers)
    assert [published(parts) for parts in workers] == [before] * 3
    assert await connection.command("GET", keyspace.REVISION) == b"2"
    await settled(*workers)
    assert await connection.command("GET", keyspace.REVISION) == b"2"


async def test_a_withdrawn_key_is_not_put_back(make_parts: MakeParts) -> None:
    """After a leak, say; also where it was the one that signed."""
    workers = [await make_parts(), await make_parts()]
    await settled(*workers)
    leaked = workers[0].signer.signing_key.key_id
    assert await keys_of(workers[0]).retire(leaked)
    await settled(*workers)
    (new,) = published(workers[0])
    assert new != leaked
    assert [parts.signer.signing_key.key_id for parts in workers] == [new, new]


async def test_known_before_the_first_request(
    make_parts: MakeParts, connection: Connection
) -> None:
    """What changed since the server's start: a worker may replace one that died."""
    parts = await make_parts()
    stored = StoredClients(connection)
    await stored.put(msgspec.structs.replace(TV, enabled=False))
    await stored.put(Client(client_id="new", name="New"))
    living = parts.live(web.Application())
    await anext(living)
    assert {client.client_id: client.enabled for client in parts.clients} == {
        "tv": False,
        "new": True,
    }
    await anext(living, None)


async def test_a_start_without_the_store(
    make_parts: MakeParts, start_valkey: Callable[..., Valkey]
) -> None:
    """A worker that replaces another one while the store is away answers pending polls."""
    own = start_valkey()
    parts = await make_parts(url=own.url)
    own.kill()
    living = parts.live(web.Application())
    await in_time(anext(living), 3)
    assert parts.clients.find("tv") == TV
    await anext(living, None)


async def test_a_start_with_a_key_that_cannot_be_read(
    make_parts: MakeParts, connection: Connection
) -> None:
    """Of a later version, perhaps, and even of the algorithm in use: there is another one then."""
    record = b'{"jwk":{"alg":"ES256","kid":"k","kty":"AKP"},"created_at":1,"expires_at":0}'
    await connection.command("HSET", keyspace.SIGNING_KEYS, "k", record)
    with capture_logs() as logs:
        parts = await make_parts()
        await settled(parts)
    assert _events(logs) == {"signing_key.unreadable"}
    (key_id,) = published(parts)
    assert key_id != "k"
    assert parts.signer.verify(parts.signer.sign({}, "jwt")).header["kid"] == key_id


async def test_what_changed_is_told_once(make_parts: MakeParts, connection: Connection) -> None:
    """When the worker takes it up; not at its start, and not at each look."""
    stored = StoredClients(connection)
    await stored.put(Client(client_id="old", name="Old"))
    parts = await make_parts()
    with capture_logs() as logs:
        await settled(parts)
    assert logs == []
    before = parts.signer.signing_key.key_id
    await stored.put(msgspec.structs.replace(TV, enabled=False))
    await stored.put(Client(client_id="new", name="New"))
    await stored.remove("old")
    key = new_key("ES256", int(parts.clock()) + 1)
    await keys_of(parts).rotate(key)
    with capture_logs() as logs:
        await settled(parts)
    assert logs == [
        {
            "event": "clients.reloaded",
            "log_level": "info",
            "added": ["new"],
            "disabled": ["tv"],
            "removed": ["old"],
        },
        {
            "event": "signing_keys.reloaded",
            "log_level": "info",
            "signs": key.key_id,
            "added": [key.key_id],
            "changed": [before],
        },
    ]
    assert await keys_of(parts).retire(before)
    await stored.remove("tv")
    await stored.put(Client(client_id="new", name="Newer"))
    with capture_logs() as logs:
        await settled(parts)
    clients, keys = logs
    assert (clients["enabled"], clients["changed"]) == (["tv"], ["new"])
    assert (keys["event"], keys["removed"]) == ("signing_keys.reloaded", [before])


async def test_one_changed_client_is_read_alone(make_parts: MakeParts) -> None:
    """However many clients there are: a registration must not have all of them read again."""
    parts = await make_parts()
    stored = StoredClients(parts.connection)
    one = Client(client_id="one", name="One")
    with (
        capture_logs() as logs,
        mock.patch.object(StoredClients, "all", autospec=True) as everything,
    ):
        everything.return_value = []
        feeding = asyncio.create_task(parts.feed.run())
        await until(lambda: parts.feed.reachable)
        await subscribed(parts.connection)
        await parts.feed.catch_up()
        everything.reset_mock()
        await stored.put(one)
        await until(lambda: parts.clients.find("one"))
        await stored.change("one", lambda _: msgspec.structs.replace(one, enabled=False))
        await until(lambda: parts.clients.find("one") != one)
        await stored.remove("one")
        await until(lambda: not parts.clients.find("one"))
        everything.assert_not_called()
        await end(feeding)
    changes = [line for line in logs if line["event"] == "clients.reloaded"]
    assert [
        line.get(kind) for line, kind in zip(changes, ("added", "disabled", "removed"), strict=True)
    ] == [["one"], ["one"], ["one"]]


async def test_a_key_that_a_client_needs_is_told(make_parts: MakeParts) -> None:
    """After the client, for which it was made."""
    parts = await make_parts()
    await settled(parts)
    signs = parts.signer.signing_key.key_id
    await StoredClients(parts.connection).put(Client(client_id="a", name="A", algorithm="Ed25519"))
    assert parts.feed.on_clients is not None
    with capture_logs() as logs:
        await parts.feed.on_clients(["a"])
    clients, keys = logs
    assert (clients["event"], clients["added"]) == ("clients.reloaded", ["a"])
    made = parts.signer.key_for("Ed25519")
    assert made is not None
    assert (keys["event"], keys["added"]) == ("signing_keys.reloaded", [made.key_id])
    assert keys["signs"] == signs


async def test_after_a_lost_message_the_missed_clients_are_read(make_parts: MakeParts) -> None:
    """The next message speaks of one client; the one before it must not be missed."""
    parts = await make_parts()
    stored = StoredClients(parts.connection)
    await parts.feed.catch_up()
    with mock.patch.object(StoredClients, "all", autospec=True) as everything:
        await stored.put(Client(client_id="missed", name="Missed"))
        await stored.put(Client(client_id="heard", name="Heard"))
        revision = int(await parts.connection.command("GET", keyspace.REVISION))
        await parts.feed._hear(ClientChange(revision, "heard").message.encode())
        assert parts.clients.find("missed")
        assert parts.clients.find("heard")
        everything.assert_not_called()
    assert int(parts.feed._revision or 0) == revision


async def test_many_registrations_at_a_time_are_read_one_by_one(make_parts: MakeParts) -> None:
    """Two workers register them, so messages come in any order. By a count of what is read."""
    workers = [await make_parts(), await make_parts()]
    tasks = [asyncio.create_task(each.feed.run()) for each in workers]
    await until(lambda: all(each.feed.reachable for each in workers))
    await subscribed(workers[0].connection, len(workers))
    for each in workers:
        await each.feed.catch_up()
    clients = [Client(client_id=f"c{number}", name=f"Meter {number:b}") for number in range(40)]
    read, some = list[str](), StoredClients.some

    async def counted(stored: StoredClients, ids: Sequence[str]) -> dict[str, Client | None]:
        read.extend(ids)
        return await some(stored, ids)

    with (
        mock.patch.object(StoredClients, "all", autospec=True) as everything,
        mock.patch.object(StoredClients, "some", counted),
    ):
        await asyncio.gather(
            *(
                workers[number % 2].stored_clients.register(client, "hash")
                for number, client in enumerate(clients)
            )
        )
        await until(
            lambda: all(each.clients.find(one.client_id) for each in workers for one in clients)
        )
        everything.assert_not_called()
    await end(*tasks)
    assert len(read) <= 2 * 2 * len(clients), "each at each worker, and again for a late message"


async def test_a_change_of_another_kind_has_all_clients_read(make_parts: MakeParts) -> None:
    """It leaves no entry, as an older version leaves none."""
    parts = await make_parts()
    await parts.feed.catch_up()
    for _ in range(2):
        await announce_client(parts.connection, "tv")
        await announce_change(parts.connection)
        with mock.patch.object(StoredClients, "all", autospec=True) as everything:
            everything.return_value = []
            await parts.feed.catch_up()
            everything.assert_called_once()


def test_many_changes_are_one_short_line() -> None:
    with capture_logs() as logs:
        log_client_changes({str(number): TV for number in range(MOST + 5)}, {})
    (line,) = logs
    assert len(line["removed"]) == MOST + 1
    assert line["removed"][-1] == "and 5 more"


async def test_a_start_without_clients(connection: Connection, valkey: Valkey) -> None:
    """Neither in the file nor in the store: then it is said, and only then."""
    settings = msgspec.structs.replace(SETTINGS, clients=())

    async def told() -> set[str]:
        with capture_logs() as logs:
            await prepare(settings, valkey.url)
        return _events(logs)

    assert await told() == {"clients.none_enabled"}
    await StoredClients(connection).put(msgspec.structs.replace(TV, enabled=False))
    assert await told() == {"clients.none_enabled"}
    await StoredClients(connection).put(TV)
    assert await told() == set()


def _events(logs: Iterable[Mapping[str, Any]]) -> set[str]:
    """What was logged, but for what is true of every store of the tests: nothing is on disk."""
    return {line["event"] for line in logs} - {"store.finding"}


async def test_workers_go_on_when_keys_are_sealed(make_parts: MakeParts) -> None:
    """By a first envelope key and by another, with a worker that hears of it and one that starts.

    Each worker finds the next key in the source, which it reads again.
    """
    ring = [b"1" * 32]
    without = await make_parts()
    running = await make_parts(envelope=Envelope(lambda: tuple(ring)))
    operator = await make_parts(envelope=Envelope(lambda: tuple(ring)))
    await settled(running, operator, without)
    token = running.signer.sign({"jti": "before"}, "jwt")
    for key in (b"1" * 32, b"2" * 32):
        ring[:] = [key, *ring][:2]
        operator.installation.envelope.read_again()
        with capture_logs() as logs:
            await seal_all(
                operator.connection, operator.installation, keys_of(operator), is_sealed=True
            )
            await settled(running, operator, without)
        assert running.installation.fields() == operator.installation.fields()
        (line,) = [line for line in logs if line["event"] == "keys.cannot_be_opened"]
        assert "this host has none; set keys.envelope_file" in line["reason"]
    del ring[1:]
    started = await make_parts(envelope=Envelope(lambda: tuple(ring)))
    await keys_of(operator).rotate(new_key("ES256", 2**31))
    await settled(running, started)
    for parts in (running, started, without):
        assert parts.signer.verify(token).claims == {"jti": "before"}
        assert published(parts) & published(running) == published(parts)
    assert len(published(running)) == 2
    assert len(published(without)) == 1, "it neither knows the new key nor makes one of its own"


async def test_an_envelope_key_that_seals_nothing_yet(make_parts: MakeParts) -> None:
    with capture_logs() as logs:
        await make_parts()
        await make_parts(envelope=Envelope(lambda: (b"1" * 32,)))
    warnings = [line["event"] for line in logs if line["event"].startswith("keys.")]
    assert warnings == ["keys.not_sealed"]
