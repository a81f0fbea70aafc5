"""A connection that sends what many callers want at the same time in one round trip.

`Grants.issue` makes two round trips for each grant. For a million grants that are only there to
be counted, the commands of all callers that are waiting go out together; the commands, and so
what is stored, are the same.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from deviceflow.store.connection import Connection, Durability, Value

GATHER_S = 0.001


class Command(NamedTuple):
    """One command, with the options that redis-py takes beside it."""

    command: tuple[Value, ...]
    options: dict[str, bool]


class ScriptCall(NamedTuple):
    """One run of a script, given by its text."""

    script: str
    keys: Sequence[str]
    args: tuple[Value, ...]


Call = Command | ScriptCall


class BatchingConnection(Connection):
    """A Connection whose callers share round trips."""

    def __init__(self, client: Redis, durability: Durability | None = None) -> None:
        super().__init__(client, durability)
        self._batch: list[tuple[Call, asyncio.Future[Any]]] = []
        self._sending: set[asyncio.Task[None]] = set()

    async def evaluate(self, script: str, keys: Sequence[str], *args: Value) -> Any:  # noqa: ANN401
        """Run a script in the next batch."""
        return await self._join(ScriptCall(script, keys, args))

    async def _execute(self, *command: Value, **options: bool) -> Any:  # noqa: ANN401
        return await self._join(Command(command, options))

    def _join(self, call: Call) -> "asyncio.Future[Any]":
        loop = asyncio.get_running_loop()
        if not self._batch:
            loop.call_later(GATHER_S, self._send_soon)
        answer: asyncio.Future[Any] = loop.create_future()
        self._batch.append((call, answer))
        return answer

    def _send_soon(self) -> None:
        batch, self._batch = self._batch, []
        task = asyncio.get_running_loop().create_task(self._send(batch))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, batch: list[tuple[Call, "asyncio.Future[Any]"]]) -> None:
        try:
            async with self.pipeline() as pipe:
                for call, _ in batch:
                    await self._add(pipe, call)
                answers = await pipe.execute()
        except Exception as error:  # noqa: BLE001, every caller gets it
            for _, answer in batch:
                answer.set_exception(error)
            return
        for (_, answer), value in zip(batch, answers, strict=True):
            answer.set_result(value)

    async def _add(self, pipe: Pipeline, call: Call) -> None:
        if isinstance(call, ScriptCall):
            await self._queue(pipe, call.script, call.keys, call.args)
        else:
            pipe.execute_command(*call.command, **call.options)
