"""The push messages."""

from collections.abc import Callable, Iterable, MutableMapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from deviceflow.core.client import Client
from deviceflow.core.grant import Event, Outcome, State
from deviceflow.store import keyspace
from deviceflow.store.announcements import (
    CHANGED,
    CHANGES_KEPT,
    CONSEQUENCES,
    ClientChange,
    Decision,
    announce_client,
    changed_clients,
    push,
)
from deviceflow.store.clients import StoredClients
from deviceflow.store.connection import Connection
from deviceflow.store.installation import Installation
from tests.stage.clock import Clock
from tests.stage.store import ADA, Store
from tests.stage.valkey import Valkey
from tests.stage.waiting import until


@pytest.mark.parametrize("state", State)
def test_a_decision_is_read_as_it_was_written(state: State) -> None:
    decision = Decision(2**63 + 5, state, 1_800_000_000)
    assert Decision.parse(decision.message.encode()) == decision


@pytest.mark.parametrize(
    "message", [b"", b"x", b"1 approved", b"zz approved 1", b"1 unheard-of 1", b"1 \xff 1", CHANGED]
)
def test_anything_else_is_no_decision(message: bytes) -> None:
    assert Decision.parse(message) is None


async def test_changed_clients_are_known_for_a_while(connection: Connection) -> None:
    for client_id in ("a", "b", "a"):
        await announce_client(connection, client_id)
    assert await changed_clients(connection, 0, 3) == ["a", "b"]
    assert await changed_clients(connection, 1, 2) == ["b"]
    for after, until_ in ((3, 3), (3, 2), (3, 4), (-1, 3)):
        assert await changed_clients(connection, after, until_) is None
    await connection.command("SET", keyspace.REVISION, CHANGES_KEPT)
    await announce_client(connection, "c")
    left = await connection.command("ZRANGE", keyspace.CHANGED_CLIENTS, 0, -1)
    assert left == [b"2 b", b"3 a", f"{CHANGES_KEPT + 1} c".encode()]
    assert await changed_clients(connection, 0, CHANGES_KEPT + 1) is None


async def test_a_user_without_the_channel_loses_nothing(
    start_valkey: Callable[..., Valkey], clock: Clock
) -> None:
    """Redis gives a new user no channel. Decisions arrive by the log, and lines say why."""
    server = start_valkey()
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "quiet", "on", ">secret", "~df:*", "+@all")
    connection = Connection.open(server.url.replace("unix://", "unix://quiet:secret@"))
    store = Store(connection, await Installation.open(connection), clock, catch_up_s=0.05)
    with capture_logs() as logs:
        async with store.fed():
            grants = [await store.approved() for _ in range(3)]
            for grant in grants:
                assert await store.grants.redeem(grant, None) is Outcome.CHANGED
            await StoredClients(connection).put(Client(client_id="tv", name="TV"))
            decided = await store.grant()
            other = Store(connection, store.installation, clock, catch_up_s=0.05)
            async with other.fed():
                assert await store.grants.decide(decided, Event.CANCEL, ADA) is Outcome.CHANGED
                await until(lambda: other.mirror.state_of(decided.id) is None)
                await until(lambda: sum("subscription" in log["event"] for log in logs) == 4)
    events = [log["event"] for log in logs if log["event"] != "store.reachable"]
    assert sorted(events) == ["store.push_refused", *["store.subscription_refused"] * 4]
    assert "secret" not in str(logs)
    await connection.close()


@pytest.mark.parametrize("channel", [keyspace.CHANNEL, keyspace.HOLDS])
async def test_a_user_with_one_of_the_two_channels_hears_that_one(
    start_valkey: Callable[..., Valkey], clock: Clock, channel: str
) -> None:
    server = start_valkey()
    with server.client() as client:
        rights = ("~df:*", "resetchannels", f"&{channel}", "+@all")
        client.execute_command("ACL", "SETUSER", "half", "on", ">secret", *rights)
        url = server.url.replace("unix://", "unix://half:secret@")
        connection = Connection.open(url)
        store = Store(connection, await Installation.open(connection), clock)
        heard: list[bytes] = []
        store.feed.on_hold = heard.append
        with capture_logs() as logs:
            async with store.fed():
                await until(lambda: client.pubsub_channels() == [channel.encode()])
                await until(lambda: "store.subscription_refused" in events_of(logs))
                if channel == keyspace.HOLDS:
                    await push(connection, "a held poll", channel=channel)
                    await until(lambda: heard == [b"a held poll"])
    (refused,) = (log for log in logs if log["event"] == "store.subscription_refused")
    (other,) = {keyspace.CHANNEL, keyspace.HOLDS} - {channel}
    assert (refused["channel"], refused["consequence"]) == (other, CONSEQUENCES[other])
    await connection.close()


def events_of(logs: Iterable[MutableMapping[str, Any]]) -> list[str]:
    return [log["event"] for log in logs]


async def test_each_refused_channel_is_logged_once(
    start_valkey: Callable[..., Valkey],
) -> None:
    """A user with the right to one of the two channels: a good message is no news of the other."""
    server = start_valkey()
    with server.client() as client:
        rights = ("~df:*", "resetchannels", f"&{keyspace.CHANNEL}", "+@all")
        client.execute_command("ACL", "SETUSER", "half", "on", ">secret", *rights)
    connection = Connection.open(server.url.replace("unix://", "unix://half:secret@"))
    with capture_logs() as logs:
        for _ in range(3):
            await push(connection, "a message", channel=keyspace.HOLDS)
            await push(connection, "a message")
    assert [(log["event"], log["channel"]) for log in logs] == [
        ("store.push_refused", keyspace.HOLDS)
    ]
    await connection.close()


def test_a_client_s_change_is_read_as_it_was_written() -> None:
    change = ClientChange(17, "a:client/with~signs")
    assert ClientChange.parse(change.message.encode()) == change
    assert Decision.parse(change.message.encode()) is None


@pytest.mark.parametrize(
    "message", [b"", b"client", b"client 1", b"client x tv", b"client 1 a b", b"\xff 1 a", CHANGED]
)
def test_anything_else_is_no_client_s_change(message: bytes) -> None:
    assert ClientChange.parse(message) is None
