"""Round trips that concurrent callers share.

A round trip costs a worker far more than a command more or less in it (docs/decisions/0031). So
while one is on its way, what further callers want to send waits for the next one. A caller that
is alone waits for nothing, and a thousand a second share a few hundred trips.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from deviceflow.store.errors import own_copy

MOST_AT_ONCE = 256
"""Cap on what one round trip carries, if not said otherwise: it must not hold up the store."""

Item = TypeVar("Item")
TripAnswer = TypeVar("TripAnswer")


class _Waiting(NamedTuple, Generic[Item, TripAnswer]):
    item: Item
    answer: "asyncio.Future[TripAnswer]"


class SharedTrips(Generic[Item, TripAnswer]):
    """Sends the items of many callers. `send` makes one round trip, with an answer for each item.

    `most`: how many items it has at once.

    If it fails, it fails for everybody in it. Those that wait for the next one fail too, for they
    would run into the same, one deadline later; nothing of theirs was sent.
    """

    def __init__(
        self,
        send: Callable[[Sequence[Item]], Awaitable[Sequence[TripAnswer]]],
        most: int = MOST_AT_ONCE,
    ) -> None:
        self._send = send
        self._most = most
        self._waiting: list[_Waiting[Item, TripAnswer]] = []
        self._sending: asyncio.Task[None] | None = None

    async def send(self, item: Item) -> TripAnswer:
        """Send an item in the next round trip; return its answer, or raise what `send` raises."""
        answer: asyncio.Future[TripAnswer] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(item, answer))
        if self._sending is None:
            self._sending = asyncio.create_task(self._send_all())
        return await answer

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                batch = self._waiting[: self._most]
                del self._waiting[: self._most]
                try:
                    answers = await self._send([each.item for each in batch])
                except BaseException as error:
                    _fail([*batch, *self._waiting], error)
                    self._waiting.clear()
                    if not isinstance(error, Exception):
                        raise
                else:
                    _deliver(batch, answers)
        finally:
            self._sending = None


def _deliver(batch: Sequence[_Waiting[Item, TripAnswer]], answers: Sequence[TripAnswer]) -> None:
    for each, answer in zip(batch, answers, strict=True):
        if not each.answer.done():
            each.answer.set_result(answer)


def _fail(batch: Sequence[_Waiting[Item, TripAnswer]], error: BaseException) -> None:
    for each in batch:
        if isinstance(error, Exception):
            if not each.answer.done():
                each.answer.set_exception(own_copy(error))
        else:
            each.answer.cancel()
