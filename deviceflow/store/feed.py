"""The feed: it brings a worker what the other workers change in the store.

A decision comes in one of two ways:
- the push message that follows every decision;
- the tail of the decision log, read once a second and after every reconnection, in case a
  message was lost. An entry is only a hint that a grant may have been decided.

With the log the feed reads the installation's epoch, which shows that the store has lost its
data, and the revision of clients and signing keys, which shows that they have changed.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog

from deviceflow.core.clock import Clock
from deviceflow.core.grant import PENDING, State
from deviceflow.store import keyspace
from deviceflow.store.announcements import CHANGED, Decision
from deviceflow.store.connection import Connection, translated
from deviceflow.store.errors import StoreUnavailable
from deviceflow.store.installation import Installation
from deviceflow.store.mirror import Mirror

CATCH_UP_S = 0.9
"""The pause between two looks at the log. With the look itself, it is a second at most."""

PAGE = 1000
"""Entries of the log that are read at a time."""

# A new primary's clock may be behind: after a reconnection so much of the log is read again.
_REREAD_MS = 10_000

_FROM_THE_START = "0"
_NEVER_READ = b""

log = structlog.get_logger()


def _ignore(_: bytes) -> None:
    return None


@dataclass(kw_only=True)
class Feed:
    """Feeds one worker while `run` runs.

    `ask` returns a grant's state in the store. `on_change` reads clients and signing keys again.
    `on_hold` receives the messages about held polls.
    `reachable`: whether the last look at the store succeeded.
    """

    connection: Connection
    installation: Installation
    mirror: Mirror
    clock: Clock
    ask: Callable[[int], Awaitable[State | None]]
    on_change: Callable[[], Awaitable[None]]
    catch_up_s: float
    on_hold: Callable[[bytes], None] = _ignore

    reachable: bool = field(default=False, init=False)
    _last_entry: str = field(default=_FROM_THE_START, init=False)
    _revision: bytes | None = field(default=_NEVER_READ, init=False)
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def run(self) -> None:
        """Feed the worker until cancelled."""
        loops = (self._listen(), self._catch_up_regularly())
        tasks = {asyncio.create_task(loop) for loop in loops}
        try:
            await asyncio.wait(tasks)
        finally:
            # redis-py writes through `asyncio.wait_for`, which before Python 3.12 may swallow a
            # cancellation (gh-86296): once is not enough.
            while tasks:
                for task in tasks:
                    task.cancel()
                _, tasks = await asyncio.wait(tasks, timeout=0.1)

    async def catch_up(self) -> None:
        """Read what has changed since the last look. May raise StoreUnavailable."""
        async with self._reading:
            while True:
                async with self.connection.pipeline() as pipe:
                    pipe.hget(keyspace.INSTALLATION, "epoch")
                    pipe.get(keyspace.REVISION)
                    pipe.xrange(keyspace.DECISIONS, min=f"({self._last_entry}", count=PAGE)
                    epoch, revision, entries = await pipe.execute()
                if epoch != self.installation.epoch:
                    await self._start_over()
                    continue
                if revision != self._revision:
                    # It counts as read only if the reading succeeds.
                    await self.on_change()
                    self._revision = revision
                self._take_hints(entries)
                if len(entries) < PAGE:
                    return

    def _take_hints(self, entries: list[tuple[bytes, dict[bytes, bytes]]]) -> None:
        now = self.clock()
        for entry_id, fields in entries:
            self._last_entry = entry_id.decode()
            # The log reaches back further than the lives of most grants.
            if (expires_at := int(fields[b"x"])) > now:
                self.mirror.learn(int(fields[b"g"], 16), None, expires_at)

    async def _start_over(self) -> None:
        """Forget everything: the store has lost its data, so nothing known of it holds."""
        if await self.installation.refresh(self.connection):
            log.warning("store.data_lost", consequence="grants issued before have expired")
        self.mirror.forget_all()
        self._last_entry = _FROM_THE_START
        self._revision = _NEVER_READ

    async def _catch_up_regularly(self) -> None:
        while True:
            try:
                await self.catch_up()
                self._note_reachable(reachable=True)
                await self._resolve_hints()
            except StoreUnavailable:
                self._note_reachable(reachable=False)
            except Exception:
                # A worker that is fed no more answers "pending" for ever: log it and go on.
                log.exception("feed.failed")
                self._note_reachable(reachable=False)
            self.mirror.forget_expired(self.clock())
            await asyncio.sleep(self.catch_up_s)

    async def _resolve_hints(self) -> None:
        """Ask about the grants that are watched and may have been decided."""
        for grant_id in self.mirror.unresolved():
            state = await self.ask(grant_id)
            if state not in (None, PENDING):
                # The grant is known already: the mirror has its end.
                self.mirror.learn(grant_id, state, 0)

    def _note_reachable(self, *, reachable: bool) -> None:
        if reachable != self.reachable:
            self.reachable = reachable
            if reachable:
                log.info("store.reachable")
            else:
                log.warning("store.unreachable", consequence="pending polls go on; no decisions")

    async def _listen(self) -> None:
        while True:
            try:
                with suppress(StoreUnavailable):
                    await self._listen_once()
            except Exception:
                log.exception("feed.failed")
            await asyncio.sleep(self.catch_up_s / 10)

    async def _listen_once(self) -> None:
        with translated():
            async with self.connection.pubsub() as pubsub:
                await pubsub.subscribe(keyspace.CHANNEL, keyspace.HOLDS)
                async for message in pubsub.listen():
                    if message["channel"] == keyspace.CHANNEL.encode():
                        await self._hear(message["type"], message["data"])
                    elif message["type"] == "message":
                        self.on_hold(message["data"])

    async def _hear(self, kind: str, data: Any) -> None:  # noqa: ANN401, whatever redis-py gives
        if kind == "subscribe":
            # What was decided while this worker did not listen is in the log.
            self._step_back()
            await self._catch_up_if_reachable()
        elif kind == "message" and data == CHANGED:
            await self._catch_up_if_reachable()
        elif kind == "message":
            if (decision := Decision.parse(data)) is not None:
                self.mirror.learn(*decision)
            else:
                # Of a later version, perhaps. The log has the same decision as a hint.
                log.warning("store.message_ignored", reason="not an announcement")

    async def _catch_up_if_reachable(self) -> None:
        with suppress(StoreUnavailable):
            await self.catch_up()

    def _step_back(self) -> None:
        milliseconds = int(self._last_entry.partition("-")[0])
        self._last_entry = str(max(0, milliseconds - _REREAD_MS))
