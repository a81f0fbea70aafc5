"""The feed: what brings a worker the changes that other workers make in the store.

A decision comes in one of two ways:
- the push message that follows every decision;
- the decision log, read once a second and after every reconnection, in case a message was lost
  (`log_reader`). An entry is only a hint that a grant may have been decided.

Once a second the feed also probes whether the store takes writes, with a write that changes
nothing. A replica, a full store or a disk error refuse it like any other write, although they can
be read. So a demoted primary is noticed even if no person decides anything.

With the log the feed reads the installation's epoch, which shows that the store has lost its
data, and the revision of clients and signing keys, which shows that they have changed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import structlog

from deviceflow.core.clock import Clock
from deviceflow.core.grant import PENDING, State
from deviceflow.store import keyspace
from deviceflow.store.announcements import CHANGED, ClientChange, Decision, changed_clients
from deviceflow.store.causes import cause_of
from deviceflow.store.connection import Connection
from deviceflow.store.errors import StoreUnavailable
from deviceflow.store.failures import READONLY, refusal_of, translated
from deviceflow.store.installation import Installation
from deviceflow.store.log_reader import LogReader
from deviceflow.store.mirror import Mirror
from deviceflow.store.shapes import Command
from deviceflow.store.subscriber import Subscriber
from deviceflow.tasks import run_together

CATCH_UP_S = 0.9
"""The pause between two looks at the log. With the look itself, it is a second at most."""

FIRST_LOOK_S = 3.0

_NEVER_READ = b""

log = structlog.get_logger()


def _ignore(_: object) -> None:
    return None


def _a_day() -> float:
    return 86_400.0


@dataclass(kw_only=True)
class Feed:
    """Feeds one worker while `run` runs.

    `ask` returns a grant's state in the store. `on_change` reads clients and signing keys again.
    `on_clients` reads some clients again, if only these have changed.
    `on_hold` receives the messages about held polls, `on_push` the grants whose decisions are
    heard, and `on_look` whether a regular look at the store succeeded. `longest_s` returns the
    longest lifetime of a grant, in s.
    `reachable`: whether the last look at the store succeeded, None before the first.
    `unreachable_cause`: why it failed, in words of `store/causes.py`; None if it succeeded.
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
    on_push: Callable[[int], None] = _ignore
    on_look: Callable[[bool], None] = _ignore
    longest_s: Callable[[], float] = _a_day
    on_clients: Callable[[Sequence[str]], Awaitable[None]] | None = None

    reachable: bool | None = field(default=None, init=False)
    unreachable_cause: str | None = field(default=None, init=False)
    refusal: str | None = field(default=None, init=False)
    _decisions: LogReader = field(init=False)
    _revision: bytes | None = field(default=_NEVER_READ, init=False)
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _subscribers: tuple[Subscriber, ...] = field(init=False)
    _drops: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._decisions = LogReader(self.mirror, self.clock, self.longest_s)
        # One for each channel: a user without the right to one of them still hears the other.
        subscriber = partial(Subscriber, connection=self.connection, pause_s=self.catch_up_s / 10)
        self._subscribers = (
            subscriber(channel=keyspace.CHANNEL, hear=self._hear, on_begin=self._begin),
            subscriber(channel=keyspace.HOLDS, hear=self._hear_hold),
        )

    @property
    def subscribed(self) -> bool:
        """Whether what other workers announce is heard at once."""
        return all(each.hears for each in self._subscribers)

    @property
    def store_state(self) -> str:
        """What was seen of the store last: "reachable", "unreachable", or why it refuses writes.

        Before the first look: "unknown".
        """
        if self.reachable is None:
            return "unknown"
        if not self.reachable:
            return "unreachable"
        return self.refusal or "reachable"

    async def look_first(self) -> None:
        """Look at the store once, for as long as a start may wait for it."""
        try:
            async with asyncio.timeout(FIRST_LOOK_S):
                await self.catch_up()
            self._note_look()
        except Exception as error:  # noqa: BLE001, `run` looks again, and logs what is wrong
            self._note_look(cause_of(error))

    async def run(self) -> None:
        """Feed the worker until cancelled."""
        await run_together(self._catch_up_regularly(), *(each.run() for each in self._subscribers))

    async def catch_up(self) -> None:
        """Read what has changed since the last look. May raise StoreUnavailable."""
        while not await self._look() or self._decisions.has_backlog:
            # A held poll need not wait until all of a long backlog is read.
            await self._resolve_hints()

    async def _look(self) -> bool:
        """Read a page of what is new, and a page of the backlog.

        Return whether nothing new is left. May raise StoreUnavailable.
        """
        async with self._reading:
            epoch, revision, probe, *pages = await self.connection.attempt(
                ("HGET", keyspace.INSTALLATION, "epoch"),
                ("GET", keyspace.REVISION),
                ("SET", keyspace.PROBE, "", "XX", "PX", 1),
                *self._log_commands(),
            )
            refusal = refusal_of(probe)
            with translated():
                for answer in (epoch, revision, None if refusal else probe, *pages):
                    if isinstance(answer, Exception):
                        raise answer
            await self._note_refusal(refusal)
            if epoch != self.installation.epoch:
                await self._start_over()
                return False
            if revision != self._revision:
                # It counts as read only if the reading succeeds.
                await self._read_changes(revision)
                self._revision = revision
            return bool(pages) and self._decisions.take(pages)

    def _log_commands(self) -> Iterable[Command]:
        # Before the clients are read, the longest lifetime of their grants is not known.
        return () if self._revision is _NEVER_READ else self._decisions.commands()

    async def _read_changes(self, revision: bytes | None) -> None:
        """Read the clients again that have changed, or all of them, and the signing keys."""
        changed = None
        if self.on_clients is not None and self._revision is not _NEVER_READ:
            known = int(self._revision or 0)
            changed = await changed_clients(self.connection, known, int(revision or 0))
        if changed is None or self.on_clients is None:
            await self.on_change()
        else:
            await self.on_clients(changed)

    async def _start_over(self) -> None:
        """Forget everything: the store has lost its data."""
        if await self.installation.refresh(self.connection):
            log.warning("store.data_lost", consequence="grants issued before have expired")
        self.mirror.forget_all()
        self._decisions.start_over()
        self._revision = _NEVER_READ

    async def _note_refusal(self, refusal: str | None) -> None:
        if refusal != self.refusal:
            self.refusal = refusal
            if refusal is None:
                watch = self.connection.watch
                log.info("store.accepts", refused=watch.take_refused() if watch else 0)
            else:
                consequence = "pending polls go on; no new grants, no decisions"
                log.warning("store.refuses", reason=refusal, consequence=consequence)
        if refusal == READONLY:
            await self.connection.drop()
        if self.connection.drops != self._drops:
            self._drops = self.connection.drops
            for subscriber in self._subscribers:
                subscriber.renew()

    async def _catch_up_regularly(self) -> None:
        while True:
            try:
                await self.catch_up()
                self._note_look()
                await self._resolve_hints()
            except StoreUnavailable as error:
                self._note_look(cause_of(error))
            except Exception:
                # Without a feed, a worker would go on answering "pending": log it and go on.
                log.exception("feed.failed")
                self._note_look("a fault of this server; feed.failed in the log has it")
            self.mirror.forget_expired(self.clock())
            await asyncio.sleep(self.catch_up_s)

    async def _resolve_hints(self) -> None:
        """Ask about the grants that are watched and may have been decided."""
        for grant_id in self.mirror.unresolved():
            state = await self.ask(grant_id)
            if state not in (None, PENDING):
                # The grant is known already: the mirror has its end.
                self.mirror.learn(grant_id, state, 0)

    def _note_look(self, cause: str | None = None) -> None:
        """Note how a look at the store ended: why it failed, or None if it succeeded."""
        reachable = cause is None
        self.on_look(reachable)
        self.unreachable_cause = cause
        if reachable != self.reachable:
            self.reachable = reachable
            if reachable:
                log.info("store.reachable")
            else:
                consequence = "pending polls go on; no decisions"
                log.warning("store.unreachable", reason=cause, consequence=consequence)

    async def _begin(self) -> None:
        # What was decided while this worker did not listen is in the log.
        self._decisions.step_back()
        await self._read_new_if_reachable()

    async def _hear(self, data: bytes) -> None:
        if data == CHANGED:
            await self._read_new_if_reachable()
        elif (change := ClientChange.parse(data)) is not None:
            with suppress(StoreUnavailable):
                if not await self._take_client(change):
                    await self._read_new_if_reachable()
        elif (decision := Decision.parse(data)) is not None:
            self.on_push(decision.grant_id)
            self.mirror.learn(*decision)
        else:
            # Of a later version, perhaps. The log has the same decision as a hint.
            log.warning("store.message_ignored", reason="not an announcement")

    async def _hear_hold(self, data: bytes) -> None:
        self.on_hold(data)

    async def _take_client(self, change: ClientChange) -> bool:
        """Read one client again; return False if more has changed.

        A message that comes late is about a change that was read with a later one. It is believed
        all the same: after a failover, the store may count revisions a second time.
        """
        async with self._reading:
            if self.on_clients is None or self._revision is _NEVER_READ:
                return False
            known = int(self._revision or 0)
            if change.revision > known + 1:
                return False
            await self.on_clients([change.client_id])
            self._revision = b"%d" % max(known, change.revision)
            return True

    async def _read_new_if_reachable(self) -> None:
        with suppress(StoreUnavailable):
            while not await self._look():
                pass
