"""The audit of one process: rooms record events, and sinks get them as chained lines."""

import asyncio
import os
import secrets
import socket
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, Unpack

import structlog

from deviceflow import __version__
from deviceflow.audit.chain import Chain
from deviceflow.audit.events import FLOODS, LONGEST_TEXT, AuditLine, Facts, SecurityEvent
from deviceflow.audit.outlet import Outlet
from deviceflow.audit.request_context import current_address
from deviceflow.audit.thinning import THINNING_WINDOW_S, Thinning
from deviceflow.core.clock import Clock, SteadyClock
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.recorder import Recorder

LINES_REMEMBERED = 200

ProcessKind = Literal["worker", "supervisor", "command"]


@dataclass(kw_only=True)
class Audit:
    """Records events. Without sinks, it only remembers the newest lines, in `recent`."""

    recorder: Recorder
    clock: Clock = time.time
    steady: SteadyClock = time.monotonic
    process: ProcessKind = "worker"

    recent: deque[bytes] = field(default_factory=lambda: deque(maxlen=LINES_REMEMBERED), init=False)
    _chain: Chain = field(init=False)
    _outlets: list[Outlet] = field(default_factory=list, init=False)
    _thinning: Thinning = field(init=False)

    def __post_init__(self) -> None:
        self._chain = Chain(_chain_name(self.clock))
        self._thinning = Thinning(self.steady)

    def record(self, event: SecurityEvent, **facts: Unpack[Facts]) -> None:
        """Record an event, with what `facts` say. Neither waits nor fails.

        The address and the id of the request that runs now are added, unless `facts` have an
        address.
        """
        if event in FLOODS and not self._thinning.takes((event, facts.get("limit", ""))):
            self.recorder.count(table.AUDIT_EVENTS, "left_out")
            return
        facts.setdefault("address", current_address())
        line = AuditLine(
            time=self._now(),
            event=event,
            request_id=structlog.contextvars.get_contextvars().get("request_id", ""),
            **_fitting(facts),
        )
        self._add(line)

    @asynccontextmanager
    async def open(self, outlets: Iterable[Outlet], follows: str = "") -> AsyncIterator[None]:
        """Send lines to `outlets` until the block ends. `follows`: the last line before this chain.

        At the end, say what was left out, end the chain, and give the sinks a moment for the rest.
        """
        self.begin(outlets, follows)
        async with AsyncExitStack() as stack:
            for outlet in self._outlets:
                await stack.enter_async_context(outlet.open(self._say_lost))
            summing_up = asyncio.create_task(self._sum_up_regularly())
            try:
                yield
            finally:
                summing_up.cancel()
                self.end()

    def begin(self, outlets: Iterable[Outlet], follows: str = "") -> None:
        """Start the chain."""
        self._outlets = list(outlets)
        started = AuditLine(
            time=self._now(),
            event=SecurityEvent.CHAIN_STARTED,
            follows=follows,
            version=__version__,
            process=self.process,
            host=socket.gethostname()[:LONGEST_TEXT],
        )
        self._add(started)

    def end(self) -> None:
        """Say what was left out, and end the chain."""
        self.sum_up()
        self._add(AuditLine(time=self._now(), event=SecurityEvent.CHAIN_ENDED))

    def sum_up(self) -> None:
        """Record how many events had no line since the last time."""
        for (of, limit), number in self._thinning.left_out():
            event = SecurityEvent.LINES_LEFT_OUT
            line = AuditLine(time=self._now(), event=event, of=of, limit=limit, left_out=number)
            self._add(line)

    async def _sum_up_regularly(self) -> None:
        while True:
            await asyncio.sleep(THINNING_WINDOW_S)
            self.sum_up()

    def _say_lost(self, sink: str, number: int) -> None:
        event = SecurityEvent.LINES_LOST
        self._add(AuditLine(time=self._now(), event=event, sink=sink, lost=number))

    def _add(self, line: AuditLine) -> None:
        self.recorder.count(table.AUDIT_EVENTS, "recorded")
        text = self._chain.add(line)
        self.recent.append(text)
        for outlet in self._outlets:
            outlet.put(line.event, text)

    def _now(self) -> str:
        now = datetime.fromtimestamp(self.clock(), UTC)
        return now.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def _fitting(facts: Facts) -> Facts:
    """Return `facts` with texts that fit into a line and into UTF-8."""
    for name, value in facts.items():
        if isinstance(value, str):
            text = value[:LONGEST_TEXT].encode("utf-8", "replace").decode()
            if text != value:
                facts[name] = text  # type: ignore[literal-required]
    return facts


def _chain_name(clock: Clock) -> str:
    """Return a name that tells which process it was, and that no other process has."""
    return f"{int(clock())}-{os.getpid()}-{secrets.token_hex(6)}"
