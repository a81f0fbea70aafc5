"""The queue of one channel: notices wait here, are sent, and sent again if that fails."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from deviceflow.notices.notice import Notice, NoticeNotSent
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.ops.thinned_log import ThinnedLog
from deviceflow.store.errors import StoreUnavailable
from deviceflow.tasks import end

WAITING_NOTICES = 1000
"""How many notices wait in a worker for a channel. More are dropped."""

AT_ONCE = 4
"""How many are sent at the same time."""

PAUSES_S = (1.0, 4.0, 16.0, 60.0)
"""How long to wait after each try that failed. After the last, a notice is given up."""

SEND_ON_S = 2.0
"""How long a worker that ends goes on sending."""

log = structlog.get_logger()

MakeLink = Callable[[Notice], Awaitable[str]]
Sleep = Callable[[float], Awaitable[None]]


class Channel(Protocol):
    """A way to send notices."""

    name: str

    async def send(self, notice: Notice, link: str) -> None:
        """Send a notice. `link`: where the person ends the access. May raise NoticeNotSent."""


@dataclass(kw_only=True)
class Outbox:
    """What waits for one channel. `make_link` makes the link of a notice."""

    channel: Channel
    make_link: MakeLink
    recorder: Recorder
    drops: ThinnedLog
    sleep: Sleep = asyncio.sleep

    _queue: asyncio.Queue[Notice] = field(init=False)

    def __post_init__(self) -> None:
        self._queue = asyncio.Queue(WAITING_NOTICES)

    def put(self, notice: Notice) -> None:
        """Take a notice; drop it if too many wait."""
        try:
            self._queue.put_nowait(notice)
        except asyncio.QueueFull:
            self._drop()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Send what waits, until the block ends, and a little longer."""
        tasks = [asyncio.create_task(self._send_all()) for _ in range(AT_ONCE)]
        try:
            yield
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(SEND_ON_S):
                    await self._queue.join()
            await end(*tasks)
            while not self._queue.empty():
                self._queue.get_nowait()
                self._drop()

    async def _send_all(self) -> None:
        while True:
            notice = await self._queue.get()
            try:
                await self._send(notice)
            except asyncio.CancelledError:
                self._drop()
                raise
            finally:
                self._queue.task_done()

    async def _send(self, notice: Notice) -> None:
        reason = link = ""
        for pause_s in (*PAUSES_S, None):
            try:
                link = link or await self.make_link(notice)
                await self.channel.send(notice, link)
            except (NoticeNotSent, StoreUnavailable) as error:
                reason = str(error)
                if pause_s is None or getattr(error, "is_final", False):
                    break
                await self.sleep(pause_s)
            except Exception as error:  # noqa: BLE001, no notice ends the sending of the others
                reason = type(error).__name__
                break
            else:
                self.recorder.count(table.NOTICES, self.channel.name, "sent")
                log.info("notice.sent", channel=self.channel.name, sub=notice.sub)
                return
        self.recorder.count(table.NOTICES, self.channel.name, "failed")
        log.warning("notice.failed", channel=self.channel.name, sub=notice.sub, reason=reason)

    def _drop(self) -> None:
        self.recorder.count(table.NOTICES, self.channel.name, "dropped")
        line = self.drops.note((self.channel.name,))
        if line is not None:
            log.warning("notice.dropped", channel=self.channel.name, times=line[1])


class Outboxes:
    """The outboxes of a worker: none if no channel is set up."""

    def __init__(self) -> None:
        self.outboxes: list[Outbox] = []

    @property
    def are_on(self) -> bool:
        """Whether a notice would be sent."""
        return bool(self.outboxes)

    def put(self, notice: Notice) -> None:
        """Have a notice sent by every channel. It does not wait."""
        for outbox in self.outboxes:
            outbox.put(notice)
