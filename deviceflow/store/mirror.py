"""The mirror: what one worker knows, in its own memory, of the decisions of live grants.

Pending is the absence of a decision. Three ways lead into the mirror:
- the push message that follows every decision;
- the tail of the decision log, read once a second and after every reconnection, in case a
  message was lost; the log only hints that a grant may have been decided, so the next poll
  of that grant asks the store;
- what that poll was told.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import structlog

from deviceflow.core.clock import Clock
from deviceflow.core.grant import PENDING, State
from deviceflow.store.changes import CHANGED, CHANNEL, REVISION_KEY
from deviceflow.store.connection import Connection, translated
from deviceflow.store.errors import StoreUnavailable
from deviceflow.store.installation import INSTALL_KEY, Installation

LOG_KEY = "df:decisions"
NEVER_READ = b""
# With what reading takes, whatever happened is known within a second.
CATCH_UP_S = 0.9
PAGE = 1000
# How far back the log is read again after a reconnection: a new primary's clock may be behind.
REREAD_MS = 10_000
# A message is kept until its grant has ended; buckets of this many seconds are dropped whole.
_BUCKET_S = 16

Watcher = Callable[[State], None]

log = structlog.get_logger()


class Mirror:
    """Decisions of live grants: `state_of` answers in memory, `run` keeps it fed."""

    def __init__(self, connection: Connection, installation: Installation, clock: Clock) -> None:
        self._connection = connection
        self._installation = installation
        self._clock = clock
        self._states: dict[int, State | None] = {}
        self._ends: dict[int, list[int]] = {}
        self._watchers: dict[int, list[Watcher]] = {}
        self._unresolved: set[int] = set()
        self.resolve: Callable[[int], Awaitable[State | None]] | None = None
        self.reload: Callable[[], Awaitable[None]] = _nothing_to_reload
        self._revision: bytes | None = NEVER_READ
        self._last = "0"
        self._reading = asyncio.Lock()
        self.reachable = False

    def __len__(self) -> int:
        return len(self._states)

    def state_of(self, grant_id: int) -> State | None:
        """What is known of an unexpired grant; None means: ask the store."""
        return self._states.get(grant_id, PENDING)

    def learn(self, grant_id: int, state: State | None, expires_at: int) -> None:
        """Note a decision (or, for None, the hint of one) and tell who waits for it."""
        if state is None and grant_id in self._states:
            return
        if grant_id not in self._states:
            self._ends.setdefault(expires_at // _BUCKET_S, []).append(grant_id)
        self._states[grant_id] = state
        watchers = self._watchers.get(grant_id)
        if not watchers:
            return
        if state is None:
            self._unresolved.add(grant_id)
            return
        for watcher in list(watchers):
            watcher(state)

    def watch(self, grant_id: int, watcher: "Watcher") -> None:
        """Call `watcher` when the decision is known; at once if it is."""
        self._watchers.setdefault(grant_id, []).append(watcher)
        state = self._states.get(grant_id, State.PENDING)
        if state is None:
            self._unresolved.add(grant_id)
        elif state is not State.PENDING:
            watcher(state)

    def unwatch(self, grant_id: int, watcher: "Watcher") -> None:
        """Call `watcher` no more."""
        watchers = self._watchers.get(grant_id, [])
        if watcher in watchers:
            watchers.remove(watcher)
        if not watchers:
            self._watchers.pop(grant_id, None)
            self._unresolved.discard(grant_id)

    async def run(self) -> None:
        """Feed the mirror until cancelled."""
        feeds = (self._listen(), self._catch_up_regularly())
        tasks = {asyncio.create_task(feed) for feed in feeds}
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
        """Read what was added to the decision log. Raises StoreUnavailable."""
        async with self._reading:
            while True:
                async with self._connection.pipeline() as pipe:
                    pipe.hget(INSTALL_KEY, "epoch")
                    pipe.get(REVISION_KEY)
                    pipe.xrange(LOG_KEY, min=f"({self._last}", count=PAGE)
                    epoch, revision, entries = await pipe.execute()
                if epoch != self._installation.epoch:
                    await self._start_over()
                    continue
                if revision != self._revision:
                    await self.reload()
                    self._revision = revision
                now = self._clock()
                for entry_id, fields in entries:
                    self._last = entry_id.decode()
                    # The log reaches back further than the lives of most grants.
                    if (expires_at := int(fields[b"x"])) > now:
                        self.learn(int(fields[b"g"], 16), None, expires_at)
                if len(entries) < PAGE:
                    return

    def forget_expired(self) -> None:
        """Give back the memory of grants that have ended."""
        current = int(self._clock()) // _BUCKET_S
        for bucket in [bucket for bucket in self._ends if bucket < current]:
            for grant_id in self._ends.pop(bucket):
                self._states.pop(grant_id, None)

    async def _start_over(self) -> None:
        """The store lost its data: nothing known of it holds any more."""
        if await self._installation.refresh(self._connection):
            log.warning("store.data_lost", consequence="grants issued before have expired")
        self._states.clear()
        self._ends.clear()
        self._last = "0"
        self._revision = NEVER_READ

    async def _catch_up_regularly(self) -> None:
        while True:
            try:
                await self.catch_up()
                self._note_reachable(reachable=True)
                await self._resolve_hints()
            except StoreUnavailable:
                self._note_reachable(reachable=False)
            except Exception:
                # A mirror that has stopped says "pending" for ever: rather try, and say so.
                log.exception("mirror.failed")
                self._note_reachable(reachable=False)
            self.forget_expired()
            await asyncio.sleep(CATCH_UP_S)

    async def _resolve_hints(self) -> None:
        """Ask about grants that somebody waits for and a hint says may be decided."""
        for grant_id in list(self._unresolved):
            state = await self.resolve(grant_id) if self.resolve else None
            if state not in (None, State.PENDING):
                self._unresolved.discard(grant_id)
                self.learn(grant_id, state, 0)

    def _step_back(self) -> None:
        milliseconds = int(self._last.partition("-")[0])
        self._last = str(max(0, milliseconds - REREAD_MS))

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
                log.exception("mirror.failed")
            await asyncio.sleep(CATCH_UP_S / 10)

    async def _listen_once(self) -> None:
        with translated():
            async with self._connection.pubsub() as pubsub:
                await pubsub.subscribe(CHANNEL)
                async for message in pubsub.listen():
                    await self._hear(message)

    async def _hear(self, message: dict[str, Any]) -> None:
        if message["type"] == "subscribe":
            # What was decided while nobody listened is in the log.
            self._step_back()
            with suppress(StoreUnavailable):
                await self.catch_up()
        elif message["type"] == "message" and message["data"] == CHANGED.encode():
            with suppress(StoreUnavailable):
                await self.catch_up()
        elif message["type"] == "message":
            try:
                grant_id, state, expires_at = message["data"].split()
                decision = int(grant_id, 16), State(state.decode()), int(expires_at)
            except ValueError:
                # Of a later version, perhaps. The log has the same decision as a hint.
                log.warning("store.message_ignored", reason="not an announcement")
                return
            self.learn(*decision)


async def _nothing_to_reload() -> None:
    """What a mirror alone has to read again when clients or keys have changed."""


def announcement(grant_id: int, state: State, expires_at: int) -> str:
    """The push message of a decision."""
    return f"{grant_id:x} {state} {expires_at}"
