"""Reading the decision log: how far a worker has come, and what the entries say.

A worker that starts reads the log from the time at which the oldest grants that may still live were
issued. It reads this backlog backwards, a page at a time, because the newest decisions matter most.
With each page, it also reads the entries that are new.
"""

from collections.abc import Callable, Iterator

import structlog

from deviceflow.core.clock import Clock
from deviceflow.store import keyspace
from deviceflow.store.errors import RecordUnreadable
from deviceflow.store.mirror import Mirror
from deviceflow.store.records import RecordKind, check_fields
from deviceflow.store.shapes import Command

PAGE = 1000
"""Entries of the log that are read at a time."""

# A new primary's clock may be behind: after a reconnection so much of the log is read again.
_REREAD_MS = 10_000

_NEWEST = "+"

Page = list[tuple[bytes, dict[bytes, bytes]]]
"""Entries of the log: the id and the fields of each."""

log = structlog.get_logger()


class LogReader:
    """Gives the hints of the log to `mirror`.

    `longest_s` returns the longest lifetime of a grant, in s.
    """

    def __init__(self, mirror: Mirror, clock: Clock, longest_s: Callable[[], float]) -> None:
        self._mirror = mirror
        self._clock = clock
        self._longest_s = longest_s
        self.start_over()

    def start_over(self) -> None:
        """Begin as in a new worker."""
        # The newest entry that was read. None before the first one.
        self._last_entry: str | None = None
        # Where the rest of the backlog ends: None once all of it was read.
        self._backlog_end: str | None = _NEWEST

    @property
    def has_backlog(self) -> bool:
        """Whether a part of the backlog is not read yet."""
        return self._backlog_end is not None

    def step_back(self) -> None:
        """Read the newest entries again: after a failover, others may have come before them."""
        if self._last_entry is None:
            return
        milliseconds = int(self._last_entry.partition("-")[0])
        self._last_entry = str(max(0, milliseconds - _REREAD_MS))

    def commands(self) -> Iterator[Command]:
        """Yield the commands that read a page of what is new, and a page of the backlog."""
        log_key, page = keyspace.DECISIONS, ("COUNT", PAGE)
        if self._last_entry is not None:
            yield ("XRANGE", log_key, f"({self._last_entry}", "+", *page)
        if self._backlog_end is not None:
            yield ("XREVRANGE", log_key, self._backlog_end, self._oldest_entry(), *page)

    def _oldest_entry(self) -> str:
        """Return where the backlog begins. Every grant that lives was decided after it."""
        return str(max(0, int((self._clock() - self._longest_s()) * 1000) - _REREAD_MS))

    def take(self, pages: list[Page]) -> bool:
        """Take in the answers to `commands`; return whether nothing new is left."""
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

    def _take_hints(self, entries: Page) -> None:
        now = self._clock()
        for _, fields in entries:
            try:
                check_fields(fields, RecordKind.DECISION)
                grant_id, expires_at = int(fields[b"g"], 16), int(fields[b"x"])
            except RecordUnreadable:
                continue  # it is logged, and must not hold up the entries after it
            except (KeyError, ValueError):
                log.warning("store.entry_ignored", reason="not an entry of the decision log")
                continue
            # The log reaches back further than the lives of most grants.
            if expires_at > now:
                self._mirror.learn(grant_id, None, expires_at)
