"""The queue of one sink: lines wait here, are sent in batches, and sent again if that fails."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.tasks import end

WAITING_LINES = 20_000
"""How many lines wait in a process for a sink. More are lost to it. It is about 10 MB."""

BATCH_LINES = 500
GATHER_S = 0.05
"""How long lines gather before they are sent: a flood costs 20 writes a second."""

AUDIT_PAUSES_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""How long to wait after each try that failed. The last one is repeated."""

AUDIT_SEND_ON_S = 2.0
"""How long a process that ends goes on sending."""

log = structlog.get_logger()

SayLost = Callable[[str, int], None]
Pausing = Callable[[float], Awaitable[None]]


class LinesNotWritten(Exception):  # noqa: N818, it states a condition, not a mistake
    """A sink could not take lines. The text says why.

    `is_final`: it would not take them later, either.
    """

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        super().__init__(reason)
        self.is_final = is_final


class Sink(Protocol):
    """A place for lines."""

    name: str

    def open(self) -> AbstractAsyncContextManager[None]:
        """Keep what the sink needs until the block ends."""

    async def write(self, lines: Sequence[bytes]) -> None:
        """Write lines, all of them or none. May raise LinesNotWritten."""


@dataclass(kw_only=True)
class Outlet:
    """What waits for one sink.

    `events`: those whose lines the sink gets, None for all. `batch_lines`: how many at a time.
    """

    sink: Sink
    recorder: Recorder
    events: Collection[str] | None = None
    batch_lines: int = BATCH_LINES
    sleep: Pausing = asyncio.sleep

    _lines: deque[bytes] = field(default_factory=deque, init=False)
    _lost: int = field(default=0, init=False)
    _arrived: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _drained: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _is_failing: bool = field(default=False, init=False)

    def put(self, event: str, line: bytes) -> None:
        """Take the line of an event; lose it if too many wait."""
        if self.events is not None and event not in self.events:
            return
        if len(self._lines) >= WAITING_LINES:
            self._lose(1)
        else:
            self._lines.append(line)
            self._arrived.set()
            self._drained.clear()

    @asynccontextmanager
    async def open(self, say_lost: SayLost) -> AsyncIterator[None]:
        """Send what waits, until the block ends and a little longer.

        `say_lost` records how many lines the sink has lost, once it takes lines again.
        """
        async with self.sink.open():
            sending = asyncio.create_task(self._send_all(say_lost))
            try:
                yield
            finally:
                with suppress(TimeoutError):
                    async with asyncio.timeout(AUDIT_SEND_ON_S):
                        await self._drained.wait()
                await end(sending)
                self._lose(len(self._lines))
                if self._lost:
                    log.warning("audit.lost", sink=self.sink.name, lines=self._lost)

    async def _send_all(self, say_lost: SayLost) -> None:
        while True:
            if not self._lines:
                self._drained.set()
                self._arrived.clear()
                await self._arrived.wait()
            if len(self._lines) < self.batch_lines:
                await self.sleep(GATHER_S)
            # They stay in the queue until they are written: nothing is lost if this ends.
            batch = [self._lines[i] for i in range(min(self.batch_lines, len(self._lines)))]
            await self._send(batch)
            for _ in batch:
                self._lines.popleft()
            if self._lost:
                number, self._lost = self._lost, 0
                say_lost(self.sink.name, number)

    async def _send(self, batch: Sequence[bytes]) -> None:
        tries = 0
        while True:
            try:
                await self.sink.write(batch)
            except LinesNotWritten as error:
                self._note_failure(str(error))
                if error.is_final:
                    self._lose(len(batch))
                    return
            except Exception as error:  # noqa: BLE001, nothing ends the sending of later lines
                self._note_failure(type(error).__name__)
            else:
                self.recorder.count(table.AUDIT_LINES, self.sink.name, "written", by=len(batch))
                self._note_success()
                return
            await self.sleep(AUDIT_PAUSES_S[min(tries, len(AUDIT_PAUSES_S) - 1)])
            tries += 1

    def _lose(self, number: int) -> None:
        if number:
            self._lost += number
            self.recorder.count(table.AUDIT_LINES, self.sink.name, "lost", by=number)

    def _note_failure(self, reason: str) -> None:
        if not self._is_failing:
            self._is_failing = True
            consequence = f"up to {WAITING_LINES} lines wait, further ones are lost"
            name = self.sink.name
            log.error("audit.not_written", sink=name, reason=reason, consequence=consequence)

    def _note_success(self) -> None:
        if self._is_failing:
            self._is_failing = False
            log.info("audit.written_again", sink=self.sink.name)
