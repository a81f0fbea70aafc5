"""Waiting for something that other tasks and the store bring about."""

import asyncio
from collections.abc import Callable
from unittest import mock

from deviceflow.core.grant import State
from deviceflow.store import keyspace
from deviceflow.store.connection import Connection
from deviceflow.store.feed import Feed
from deviceflow.store.mirror import Mirror


async def until(condition: Callable[[], object], within_s: float = 10.0) -> None:
    """Wait until `condition` holds, which nothing announces."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110, there is no event to wait for
            await asyncio.sleep(0.005)


async def decision(mirror: Mirror, grant_id: int, within_s: float = 10.0) -> State:
    """Wait until `mirror` is told the decision of a grant."""
    told: asyncio.Future[State] = asyncio.get_running_loop().create_future()

    def tell(state: State) -> None:
        if not told.done():
            told.set_result(state)

    mirror.watch(grant_id, tell)
    try:
        return await asyncio.wait_for(told, within_s)
    finally:
        mirror.unwatch(grant_id, tell)


async def next_catch_up(feed: Feed) -> None:
    """Wait until a look at the log that begins from now on has succeeded."""
    succeeded = asyncio.Event()
    catch_up = feed.catch_up

    async def note() -> None:
        await catch_up()
        succeeded.set()

    with mock.patch.object(feed, "catch_up", note):
        await asyncio.wait_for(succeeded.wait(), 10)


async def subscribed(connection: Connection, count: int = 1) -> None:
    """Wait until so many workers listen on the channel."""
    async with asyncio.timeout(10):
        while (await connection.command("PUBSUB", "NUMSUB", keyspace.CHANNEL))[1] < count:  # noqa: ASYNC110
            await asyncio.sleep(0.002)
