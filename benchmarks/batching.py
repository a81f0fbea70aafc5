"""A connection that sends what many callers want at the same time in one round trip.

`Grants.issue` makes two round trips for each grant. For a million grants that are only there to
be counted, the commands of all callers that are waiting go out together; the commands, and so
what is stored, are the same. The store is one server: they are in many hash slots.
"""

import asyncio
from typing import Any

from deviceflow.store.connection import Connection
from deviceflow.store.failures import translated
from deviceflow.store.shapes import Command

GATHER_S = 0.001


class BatchingConnection(Connection):
    """A Connection whose callers share round trips."""

    _gathered: list[tuple[tuple[Command, ...], asyncio.Future[list[Any]]]] | None = None
    _sending: asyncio.Task[None] | None = None

    async def batch(self, *commands: Command) -> list[Any]:
        """Send the commands in the next round trip."""
        loop = asyncio.get_running_loop()
        if self._gathered is None:
            self._gathered = []
            loop.call_later(GATHER_S, self._send_soon)
        answers: asyncio.Future[list[Any]] = loop.create_future()
        self._gathered.append((commands, answers))
        with translated():
            for answer in await answers:
                if isinstance(answer, Exception):
                    raise answer
        return answers.result()

    def _send_soon(self) -> None:
        gathered, self._gathered = self._gathered or [], None
        self._sending = asyncio.get_running_loop().create_task(self._send(gathered))

    async def _send(
        self, gathered: list[tuple[tuple[Command, ...], asyncio.Future[list[Any]]]]
    ) -> None:
        try:
            answers = await self.shape.run([each for commands, _ in gathered for each in commands])
        except Exception as error:  # noqa: BLE001, every caller gets it
            for _, future in gathered:
                future.set_exception(error)
            return
        for commands, future in gathered:
            future.set_result(answers[: len(commands)])
            answers = answers[len(commands) :]
