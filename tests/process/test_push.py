"""Decisions reach the devices although the push messages are being lost all the time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import time
from typing import Any, NamedTuple

import pytest

from deviceflow.core.claims import Subject
from deviceflow.core.grant import Event, Outcome
from deviceflow.core.user_code import UserCodeFormat
from deviceflow.store.accounts import new_subject
from deviceflow.store.connection import Connection
from deviceflow.store.device_index import DeviceIndex
from deviceflow.store.grant_records import Grant, GrantRequest
from deviceflow.store.grants import Grants
from deviceflow.store.installation import Installation
from deviceflow.store.mirror import Mirror
from deviceflow.store.slots import Slots
from deviceflow.tasks import end
from tests.stage.process import MakeProgram
from tests.stage.program import Notes, Program
from tests.stage.valkey import Valkey
from tests.stage.waiting import until
from tests.stage.wire import poll_once

APPROVALS = 500
APART_S = 0.008
KILL_EVERY_S = 0.2
AT_MOST_S = 1.5
NAPS = 30
ADA = Subject(sub=new_subject("ada"), username="ada", auth_time=1_700_000_000, amr=("pwd",))


class Waiting(NamedTuple):
    """A grant and the code that its device polls with."""

    grant: Grant
    device_code: str


@pytest.fixture
def valkey_url(start_valkey: Callable[..., Valkey]) -> str:
    return start_valkey().url


@pytest.fixture
def program(make_program: MakeProgram, valkey_url: str) -> Program:
    return make_program("--workers", "2", "--redis-url", valkey_url)


async def test_tokens_at_the_next_poll(program: Program, valkey_url: str, notes: Notes) -> None:
    connection = Connection.open(valkey_url)
    grants = await _grants(connection)
    waiting = [await _issue(grants) for _ in range(APPROVALS)]
    devices = []
    async with killed_subscriptions(valkey_url) as kills:
        for one in waiting:
            await grants.claim(one.grant, ADA.sub)
            assert await grants.decide(one.grant, Event.APPROVE, ADA) is Outcome.CHANGED
            devices.append(asyncio.create_task(_poll_in_time(program.port, one)))
            await asyncio.sleep(APART_S)
        answers = await asyncio.gather(*devices)
        await until(lambda: sum(kills) > 10)
    await connection.close()
    notes.add(*(answer.get("access_token", "") for answer in answers))
    assert [answer.get("error") for answer in answers] == [None] * APPROVALS


async def _grants(connection: Connection) -> Grants:
    installation = await Installation.open(connection)
    return Grants(
        connection,
        installation,
        Mirror(),
        Slots(connection, time),
        DeviceIndex(connection, installation, 60, time),
        time,
    )


async def _issue(grants: Grants) -> Waiting:
    asked = GrantRequest("tv", "profile", int(time()), "127.0.0.1", "test")
    issued = await grants.issue(asked, UserCodeFormat(), 600, 1)
    grant = await grants.find(issued.user_code)
    assert grant is not None
    return Waiting(grant, issued.device_code)


async def _poll_in_time(port: int, one: Waiting) -> dict[str, Any]:
    """The answer to the first poll after so many seconds, over a connection of its own.

    The seconds are slept in small pieces: a busy machine delays each of them.
    """
    for _ in range(NAPS):
        await asyncio.sleep(AT_MOST_S / NAPS)
    return await poll_once(port, one.device_code)


@asynccontextmanager
async def killed_subscriptions(url: str) -> AsyncIterator[list[int]]:
    """Kill all subscriptions again and again; how many there were, each time."""
    kills: list[int] = []
    connection = Connection.open(url)

    async def kill() -> None:
        while True:
            kills.append(await connection.command("CLIENT", "KILL", "TYPE", "pubsub"))
            await asyncio.sleep(KILL_EVERY_S)

    task = asyncio.create_task(kill())
    try:
        yield kills
        assert not task.done()
    finally:
        await end(task)
        await connection.close()
