"""The feed: it brings a worker what the other workers change in the store.

A decision comes in one of two ways:
- the push message that follows every decision;
- the tail of the decision log, read once a second and after every reconnection, in case a
  message was lost. An entry is only a hint that a grant may have been decided.

A worker that starts reads the log too, from the time on at which the oldest grants that may still
live were issued. This backlog is read backwards, a page at a time: the newest decisions matter
most. With each page of it, what has become new meanwhile is read.

Once a second the feed also probes whether the store takes writes, with a write that changes
nothing. A replica, a full store or a disk error refuse it like any other write, although they can
be read. So a demoted primary is noticed even if no person decides anything.

With the log the feed reads the installation's epoch, which shows that the store has lost its
data, and the revision of clients and signing keys, which shows that they have changed.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog
from redis.exceptions import RedisError

from deviceflow.core.clock import Clock
from deviceflow.core.grant import PENDING, State
from deviceflow.store import keyspace
from deviceflow.store.announcements import CHANGED, ClientChange, Decision
from deviceflow.store.connection import READONLY, Connection, refusal_of, translated
from deviceflow.store.errors import StoreUnavailable
from deviceflow.store.installation import Installation
from deviceflow.store.mirror import Mirror

CATCH_UP_S = 0.9
"""The pause between two looks at the log. With the look itself, it is a second at most."""

FIRST_LOOK_S = 1.0

PAGE = 1000
"""Entries of the log that are read at a time."""

# A new primary's clock may be behind: after a reconnection so much of the log is read again.
_REREAD_MS = 10_000

_NEVER_READ = b""
_NEWEST = "+"

log = structlog.get_logger()


def _ignore(_: bytes) -> None:
    return None


def _a_day() -> float:
    return 86_400.0


@dataclass(kw_only=True)
class Feed:
    """Feeds one worker while `run` runs.

    `ask` returns a grant's state in the store. `on_change` reads clients and signing keys again.
    `on_client` reads one client again, of which the others tell that it alone has changed.
    `on_hold` receives the messages about held polls. `longest_s` returns the longest lifetime of
    a grant, in s.
    `reachable`: whether the last look at the store succeeded, None before the first.
    `refusal`: the code with which the store refuses writes, None if it takes them.
    """

    connection: Connection
    installation: Installation
    mirror: Mirror
    clock: Clock
    ask: Callable[[int], Awaitable[State | None]]
    on_change: Callable[[], Awaitable[None]]
    catch_up_s: float
    on_hold: Callable[[bytes], None] = _ignore
    longest_s: Callable[[], float] = _a_day
    on_client: Callable[[str], Awaitable[None]] | None = None

    reachable: bool | None = field(default=None, init=False)
    refusal: str | None = field(default=None, init=False)
    # The newest entry that was read. None before the first one.
    _last_entry: str | None = field(default=None, init=False)
    # Where the rest of the backlog ends: None once all of it was read.
    _backlog_end: str | None = field(default=_NEWEST, init=False)
    _revision: bytes | None = field(default=_NEVER_READ, init=False)
    _refused: str = field(default="", init=False)
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _subscription: asyncio.Timeout | None = field(default=None, init=False)
    _drops: int = field(default=0, init=False)

    @property
    def store_state(self) -> str:
        """What was seen of the store last: "reachable", "unreachable", or why it refuses writes."""
        if not self.reachable:
            return "unreachable"
        return self.refusal or "reachable"

    async def look_first(self) -> None:
        """Look at the store once, for as long as a start may wait for it."""
        try:
            async with asyncio.timeout(FIRST_LOOK_S):
                await self.catch_up()
            self._note_reachable(reachable=True)
        except Exception:  # noqa: BLE001, `run` looks again, and logs what is wrong
            self._note_reachable(reachable=False)

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
        while not (await self._look() and self._backlog_end is None):
            # A held poll need not wait until all of a long backlog is read.
            await self._resolve_hints()

    async def _look(self) -> bool:
        """Read a page of what is new, and a page of the backlog.

        Return whether nothing new is left. May raise StoreUnavailable.
        """
        async with self._reading:
            async with self.connection.pipeline() as pipe:
                pipe.hget(keyspace.INSTALLATION, "epoch")
                pipe.get(keyspace.REVISION)
                pipe.set(keyspace.PROBE, "", xx=True, px=1)
                self._queue_entries(pipe)
                answers = await pipe.execute(raise_on_error=False)
                epoch, revision, probe, *pages = answers
                refusal = refusal_of(probe)
                for answer in answers:
                    if isinstance(answer, Exception) and not (answer is probe and refusal):
                        raise answer
            await self._note_refusal(refusal)
            if epoch != self.installation.epoch:
                await self._start_over()
                return False
            if revision != self._revision:
                # It counts as read only if the reading succeeds.
                await self.on_change()
                self._revision = revision
            return self._take_pages(pages)

    def _queue_entries(self, pipe: Any) -> None:  # noqa: ANN401, redis-py's pipeline
        if self._revision is _NEVER_READ:
            # The clients are not known yet, nor the longest lifetime of their grants.
            return
        if self._last_entry is not None:
            pipe.xrange(keyspace.DECISIONS, min=f"({self._last_entry}", count=PAGE)
        if self._backlog_end is not None:
            oldest = self._oldest_entry()
            pipe.xrevrange(keyspace.DECISIONS, max=self._backlog_end, min=oldest, count=PAGE)

    def _oldest_entry(self) -> str:
        """Return where the backlog begins. Every grant that lives was decided after it."""
        return str(max(0, int((self.clock() - self.longest_s()) * 1000) - _REREAD_MS))

    def _take_pages(self, pages: list[list[tuple[bytes, dict[bytes, bytes]]]]) -> bool:
        if not pages:
            return False
        is_current = True
        if self._last_entry is not None:
            entries = pages.pop(0)
            is_current = len(entries) < PAGE
            if entries:
                self._last_entry = entries[-1][0].decode()
            self._take_hints(entries)
        for entries in pages:
            self._take_hints(entries)
            if self._last_entry is None:
                self._last_entry = entries[0][0].decode() if entries else self._oldest_entry()
            is_whole = len(entries) < PAGE
            self._backlog_end = None if is_whole else f"({entries[-1][0].decode()}"
        return is_current

    def _take_hints(self, entries: list[tuple[bytes, dict[bytes, bytes]]]) -> None:
        now = self.clock()
        for _, fields in entries:
            # The log reaches back further than the lives of most grants.
            if (expires_at := int(fields[b"x"])) > now:
                self.mirror.learn(int(fields[b"g"], 16), None, expires_at)

    async def _start_over(self) -> None:
        """Forget everything: the store has lost its data, so nothing known of it holds."""
        if await self.installation.refresh(self.connection):
            log.warning("store.data_lost", consequence="grants issued before have expired")
        self.mirror.forget_all()
        self._last_entry = None
        self._backlog_end = _NEWEST
        self._revision = _NEVER_READ

    async def _note_refusal(self, refusal: str | None) -> None:
        if refusal != self.refusal:
            self.refusal = refusal
            if refusal is None:
                log.info("store.accepts")
            else:
                consequence = "pending polls go on; no new grants, no decisions"
                log.warning("store.refuses", reason=refusal, consequence=consequence)
        if refusal == READONLY:
            await self.connection.drop()
        if self.connection.drops != self._drops:
            self._drops = self.connection.drops
            if self._subscription is not None:
                # The subscription may lead to the same wrong server.
                self._subscription.reschedule(asyncio.get_running_loop().time())

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
            except RedisError as error:
                # A user without the right to this channel: it stays so, and one line is enough.
                self._note_refused(str(error))
            except Exception:
                log.exception("feed.failed")
            await asyncio.sleep(self.catch_up_s / 10)

    def _note_refused(self, reason: str) -> None:
        if reason != self._refused:
            self._refused = reason
            consequence = "decisions arrive within a second, not at once"
            log.warning("store.subscription_refused", reason=reason, consequence=consequence)

    async def _listen_once(self) -> None:
        with translated():
            async with (
                asyncio.timeout(None) as self._subscription,
                self.connection.pubsub() as pubsub,
            ):
                await pubsub.subscribe(keyspace.CHANNEL, keyspace.HOLDS)
                async for message in pubsub.listen():
                    if message["channel"] == keyspace.CHANNEL.encode():
                        await self._hear(message["type"], message["data"])
                    elif message["type"] == "message":
                        self.on_hold(message["data"])

    async def _hear(self, kind: str, data: Any) -> None:  # noqa: ANN401, whatever redis-py gives
        if kind == "subscribe":
            # What was decided while this worker did not listen is in the log.
            self._refused = ""
            self._step_back()
            await self._read_new_if_reachable()
        elif kind == "message" and data == CHANGED:
            await self._read_new_if_reachable()
        elif kind == "message" and (change := ClientChange.parse(data)) is not None:
            with suppress(StoreUnavailable):
                if not await self._take_client(change):
                    await self._read_new_if_reachable()
        elif kind == "message":
            if (decision := Decision.parse(data)) is not None:
                self.mirror.learn(*decision)
            else:
                # Of a later version, perhaps. The log has the same decision as a hint.
                log.warning("store.message_ignored", reason="not an announcement")

    async def _take_client(self, change: ClientChange) -> bool:
        """Read one client again; return False if more may have changed."""
        async with self._reading:
            if self.on_client is None or self._revision is _NEVER_READ:
                return False
            if int(self._revision or 0) != change.revision - 1:
                return False
            await self.on_client(change.client_id)
            self._revision = b"%d" % change.revision
            return True

    async def _read_new_if_reachable(self) -> None:
        with suppress(StoreUnavailable):
            while not await self._look():
                pass

    def _step_back(self) -> None:
        if self._last_entry is None:
            return
        milliseconds = int(self._last_entry.partition("-")[0])
        self._last_entry = str(max(0, milliseconds - _REREAD_MS))
