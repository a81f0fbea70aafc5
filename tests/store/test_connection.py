"""Connections to a real server: how many there are, and that their failures pass."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from operator import methodcaller
from typing import Any
from unittest import mock

import pytest
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ResponseError

from deviceflow.core.grant import Event, Outcome, State
from deviceflow.store.connection import Connection
from deviceflow.store.errors import StoreUnavailable
from deviceflow.store.installation import Installation
from deviceflow.store.sessions import Session
from deviceflow.store.shapes import Command
from deviceflow.store.shapes.server import ServerShape
from deviceflow.store.shapes.shape import SUBSCRIPTIONS
from deviceflow.store.trips import LINES
from tests.stage.shapes import not_on
from tests.stage.store import ADA, Store
from tests.stage.valkey import Valkey
from tests.stage.waiting import PATIENCE_S, until


@not_on("cluster", why="callers share no trips there")
async def test_the_smallest_pool_has_room_for_all_that_go_on_at_once(valkey: Valkey) -> None:
    """Shared trips, those for starts, calls with a connection of their own, subscriptions."""
    connection = Connection.open(valkey.url, most=2)
    over, held = asyncio.Event(), 0
    send = ServerShape._send

    async def hold(
        shape: ServerShape, server: AbstractConnection, commands: Sequence[Command]
    ) -> list[Any]:
        nonlocal held
        held += 1
        await over.wait()
        return await send(shape, server, commands)

    def are_held(count: int) -> bool:
        return held == count

    try:
        async with AsyncExitStack() as subscriptions:
            for _ in range(SUBSCRIPTIONS):
                await subscriptions.enter_async_context(connection.subscription("channel"))
            with mock.patch.object(ServerShape, "_send", hold):
                calls = []
                for place in range(LINES):
                    sides = (connection, connection.aside)
                    calls += [asyncio.create_task(side.command("PING")) for side in sides]
                    await until(partial(are_held, 2 * place + 2))
                assert await connection.everywhere("PING") == {"": True}
                over.set()
                assert await asyncio.gather(*calls) == [True] * len(calls)
    finally:
        await connection.close()


@not_on("cluster", why="callers share no trips there")
async def test_an_answer_that_cannot_be_read_fails_for_its_caller_alone(
    connection: Connection,
) -> None:
    """Else the answers after it would stay on the connection, for whoever has it next."""
    shape = connection.shape
    assert isinstance(shape, ServerShape)
    await connection.command("SET", "df:text", "ours", "EX", 9)

    def misread(_: object) -> object:
        raise ValueError("unreadable")

    with mock.patch.dict(shape.client.response_callbacks, {"EXISTS": misread}):
        answers = await asyncio.gather(
            connection.command("EXISTS", "df:text"),
            connection.command("GET", "df:text"),
            return_exceptions=True,
        )
    assert isinstance(answers[0], ValueError)
    assert answers[1] == b"ours"


async def test_scripts_that_the_server_forgot_are_loaded_again(store: Store) -> None:
    """Catalogue, section 5: NOSCRIPT, alone and in a pipeline."""
    grant = await store.grant()
    await store.connection.command("SCRIPT", "FLUSH")
    assert await store.grants.claim(grant, ADA.sub) is Outcome.CHANGED
    await store.connection.command("SCRIPT", "FLUSH")
    assert (await store.issue()).user_code


async def test_a_full_server_refuses_and_recovers(own: Store) -> None:
    grant = await own.approved()
    _, redemption = own.redemption(grant)
    await own.connection.command("CONFIG", "SET", "maxmemory", "1")
    for refused in (own.issue(), own.grants.redeem(grant, redemption)):
        with pytest.raises(StoreUnavailable):
            await refused
    assert await own.grants.state_of(grant.id) is State.APPROVED
    await own.connection.command("CONFIG", "SET", "maxmemory", "0")
    assert await own.grants.redeem(grant, redemption) is Outcome.CHANGED


@not_on("cluster", why="one node of it is busy, and the next command goes to another one")
async def test_a_server_that_is_busy_is_unavailable(own: Store) -> None:
    await own.connection.command("CONFIG", "SET", "busy-reply-threshold", "1")
    another = Connection(own.connection.shape)
    stuck = asyncio.create_task(another.command("EVAL", "while true do end", 0))
    with pytest.raises(StoreUnavailable):
        await ask_until_refused(own.connection)
    await own.connection.command("SCRIPT", "KILL")
    with pytest.raises(ResponseError):
        await stuck


async def ask_until_refused(connection: Connection) -> None:
    """The server takes a millisecond or so to notice that it is busy."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            await connection.command("GET", "df:anything")


async def test_without_a_server_everything_is_unavailable(own: Store, own_valkey: Valkey) -> None:
    grant = await own.grant()
    session_id = await own.sessions.start(Session("ada", "sub-ada", 1))
    own_valkey.kill()
    for attempt in (
        own.issue(),
        own.grants.find("BCDFGHJK"),
        own.grants.get(grant.id),
        own.grants.state_of(grant.id),
        own.grants.claim(grant, ADA.sub),
        own.grants.decide(grant, Event.CANCEL),
        own.grants.redeem(grant, None),
        own.sessions.get(session_id),
        own.sessions.start(Session("ada", "sub-ada", 1)),
        own.limits.hit("guess", "ada", limit=1, window_s=1),
        own.feed.catch_up(),
        Installation.open(own.connection),
    ):
        with pytest.raises(StoreUnavailable):
            await attempt


@pytest.mark.parametrize("stop", [methodcaller("stop"), methodcaller("kill")])
async def test_when_it_is_back_everything_works(
    own: Store, own_valkey: Valkey, stop: Callable[[Valkey], None]
) -> None:
    await own.issue()
    stop(own_valkey)
    with pytest.raises(StoreUnavailable):
        await own.issue()
    own_valkey.start()
    assert (await own.issue()).user_code


async def test_nobody_at_the_address(tmp_path_factory: pytest.TempPathFactory) -> None:
    connection = Connection.open(f"unix://{tmp_path_factory.mktemp('no')}/valkey.sock")
    with pytest.raises(StoreUnavailable):
        await connection.command("PING")
    await connection.close()


async def test_the_error_tells_no_secret(own: Store, own_valkey: Valkey) -> None:
    own_valkey.kill()
    with pytest.raises(StoreUnavailable) as refused:
        await own.connection.command("SET", "key", "hunter2")
    assert "hunter2" not in str(refused.value)


async def test_a_new_connection_reads_no_file_of_the_library(
    valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """redis-py tells the store its version, which it looks up in a file."""
    opened = Connection.open(valkey.url)
    monkeypatch.setattr("redis.utils.get_lib_version", None)
    assert await opened.command("PING")
    await opened.close()
