"""A connection that sends the commands of many waiting callers in one round trip.

`Grants.issue` makes a small pipeline for each grant. To make a million grants faster, this
connection sends the pipelines of all waiting callers together. The commands and the stored data
are the same.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from deviceflow.store.connection import Connection, Durability, Value

GATHER_S = 0.001


class Script(NamedTuple):
    """A call of a script."""

    name: str
    keys: Sequence[str]
    args: tuple[Value, ...]


class Part:
    """The pipeline of one caller, a part of a batch."""

    def __init__(self, wait: Callable[["Part"], "asyncio.Future[list[Any]]"]) -> None:
        self.calls: list[Script | dict[str, Any]] = []
        self._wait = wait

    def set(self, name: str, value: str, **options: Any) -> None:  # noqa: ANN401, as redis-py has it
        """Add a SET."""
        self.calls.append({"name": name, "value": value} | options)

    async def execute(self) -> list[Any]:
        """Send the batch, and return the answers to this part."""
        return await self._wait(self)


class BatchingConnection(Connection):
    """A Connection whose pipelines share round trips."""

    def __init__(self, client: Redis, durability: Durability | None = None) -> None:
        super().__init__(client, durability)
        self._batch: list[tuple[Part, asyncio.Future[list[Any]]]] = []
        self._sending: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def pipeline(self) -> AsyncIterator[Part]:
        """Begin a part of the next batch."""
        yield Part(self._join)

    async def queue(
        self, pipe: Part | Pipeline, name: str, keys: Sequence[str], *args: Value
    ) -> None:
        """Add a call of the script `name` to `pipe`."""
        if isinstance(pipe, Part):
            pipe.calls.append(Script(name, keys, args))
        else:
            await super().queue(pipe, name, keys, *args)

    def _join(self, part: Part) -> "asyncio.Future[list[Any]]":
        loop = asyncio.get_running_loop()
        if not self._batch:
            loop.call_later(GATHER_S, self._send_soon)
        answer: asyncio.Future[list[Any]] = loop.create_future()
        self._batch.append((part, answer))
        return answer

    def _send_soon(self) -> None:
        batch, self._batch = self._batch, []
        task = asyncio.get_running_loop().create_task(self._send(batch))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, batch: list[tuple[Part, "asyncio.Future[list[Any]]"]]) -> None:
        try:
            async with super().pipeline() as pipe:
                for part, _ in batch:
                    for call in part.calls:
                        if isinstance(call, Script):
                            await super().queue(pipe, call.name, call.keys, *call.args)
                        else:
                            pipe.set(**call)
                answers = await pipe.execute()
        except Exception as error:  # noqa: BLE001, every waiting caller receives it
            for _, answer in batch:
                answer.set_exception(error)
            return
        at = 0
        for part, answer in batch:
            answer.set_result(answers[at : at + len(part.calls)])
            at += len(part.calls)
