"""Waiting for something that other tasks, other processes and the store bring about.

A limit is either patience (`PATIENCE_S`: only a test that fails waits so long) or a promise of
the server's. Promises are not measured by the clock on the wall: a machine with something else
to do delays the server and the test alike. Inside one process they are counted in turns of the
loop (`until`, `in_time`); between processes by a `Stopwatch`.
"""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self, TypeVar
from unittest import mock

from deviceflow.core.grant import State
from deviceflow.store import keyspace
from deviceflow.store.connection import Connection
from deviceflow.store.feed import Feed
from deviceflow.store.mirror import Mirror

PATIENCE_S = 60.0

_TURN_S = 0.005

_FEW_TURNS = 100

T = TypeVar("T")


async def until(condition: Callable[[], object], within_s: float = PATIENCE_S) -> None:
    """Wait until `condition` holds, which nothing announces."""
    for _ in range(int(within_s / _TURN_S)):
        if condition():
            return
        await asyncio.sleep(_TURN_S)
    assert condition(), f"waited {within_s} s in vain"


async def in_time(awaitable: Awaitable[T], within_s: float) -> T:
    """Wait for a result that must come within so many seconds."""
    task = asyncio.ensure_future(awaitable)
    try:
        await until(task.done, within_s)
    finally:
        task.cancel()
    return await task


async def turns_until(condition: Callable[[], object]) -> None:
    """Let the loop turn until `condition` holds: at first without a pause, for it takes few turns.

    What takes many turns waits for a clock, and needs no core meanwhile.
    """
    async with asyncio.timeout(PATIENCE_S):
        turns = 0
        while not condition():
            await asyncio.sleep(0 if turns < _FEW_TURNS else _TURN_S)
            turns += 1


def until_outside(condition: Callable[[], object]) -> None:
    """Wait for another process, which has no way to announce what it does.

    Each look costs both processes time. So a long wait looks less often.
    """
    deadline, pause_s = time.monotonic() + PATIENCE_S, 0.01
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.2, 0.05)


async def decision(mirror: Mirror, grant_id: int, within_s: float = PATIENCE_S) -> State:
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
        await asyncio.wait_for(succeeded.wait(), PATIENCE_S)


async def subscribed(connection: Connection, count: int = 1) -> None:
    """Wait until so many workers listen on the channel."""
    await _listened_to(connection, lambda listeners: listeners >= count)


async def unsubscribed(connection: Connection) -> None:
    """Wait until no worker listens: the store sees the end of a connection some time after it."""
    await _listened_to(connection, lambda listeners: listeners == 0)


async def _listened_to(connection: Connection, is_so: Callable[[int], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not is_so(await connection.subscribers(keyspace.CHANNEL)):  # noqa: ASYNC110
            await asyncio.sleep(0.002)


class Stopwatch:
    """The time in s that this process had to run, since the block began.

    A thread counts its own short sleeps. On an idle machine that is the clock on the wall; on a
    busy one it goes slower, just as the processes do whose promises it measures.
    """

    def __init__(self) -> None:
        self._ticks = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tick)

    @property
    def seconds(self) -> float:
        """How long it has been."""
        return self._ticks * _TURN_S

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _tick(self) -> None:
        while not self._ended.wait(_TURN_S):
            self._ticks += 1
