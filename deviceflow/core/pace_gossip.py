"""Pace over several hosts: what a host tells the other hosts of its pace table, and takes in.

A pace table is the memory of one host. Behind a balancer that sends a device's polls to several
hosts in turn, each host sees a part of them, and a device that polls too fast looks obedient to
each. So the hosts tell each other of polls, several times a second.

The rules:
- An entry of the table is a register whose last writer wins: it keeps the later of two polls of a
  grant, and the interval that the grant had then.
- A host tells of a grant's first poll that it has judged, and of polls that changed the interval.
  It tells of further polls only while another host tells of the same grant. So an obedient device
  that stays with one host costs one report.
- A report has the age of a poll, not its time: every host's steady clock has its own zero. The
  age is right to within the time that a message takes, far less than the allowance for jitter.
- A host does not tell of a poll that is older than its grant's interval: such a poll no longer
  decides whether the next one is too fast.

The poll path knows nothing of this. A process of its own finds what is new: it compares the table
with a copy. As in the table itself, there is no lock: if a worker and this process
write an entry at the same instant, one poll may be forgotten, which is harmless.

A message is a header and reports, big-endian:

    header  version (1)  host, random (8)  slots of the table (4)
    report  slot in the table (4)  fingerprint (2)  interval, s (2)  age, ms (4)
"""

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from deviceflow.core.pace import Entry, pack, unpack

LATELY_MS = 300_000
"""How long a grant counts as polled on another host after that host's last report, in ms."""

MAX_REPORTS = 4_000
"""How many reports a message has at most: 48 KB."""

_VERSION = 1
_HEADER = struct.Struct(">B8sI")
_ENTRY = struct.Struct("=Q")
_REPORT = struct.Struct(">IHHI")
_CHUNK = 512
_LONGEST_AGE_MS = (1 << 32) - 1


class PaceReport(NamedTuple):
    """A poll that a host has judged. `slot`: of the table. `interval` in s, `age_ms` in ms."""

    slot: int
    fingerprint: int
    interval: int
    age_ms: int


class PaceMessage(NamedTuple):
    """Reports of `host` (8 random bytes), whose table has `slots` slots."""

    host: bytes
    slots: int
    reports: tuple[PaceReport, ...] = ()

    def encode(self) -> bytes:
        """Return the message as the channel carries it."""
        header = _HEADER.pack(_VERSION, self.host, self.slots)
        return header + b"".join(_REPORT.pack(*report) for report in self.reports)

    @classmethod
    def decode(cls, data: bytes) -> "PaceMessage | None":
        """Return the message in `data`, or None if it has another form or version."""
        try:
            version, host, slots = _HEADER.unpack_from(data)
            if version != _VERSION:
                return None
            reports = map(PaceReport._make, _REPORT.iter_unpack(data[_HEADER.size :]))
            return cls(host, slots, tuple(reports))
        except struct.error:
            return None


class PaceGossip:
    """What one host tells and hears. `memory`: the pace table that its workers share.

    All times are readings of the host's steady clock, in ms.
    """

    def __init__(self, memory: memoryview) -> None:
        self._bytes = memory.cast("B")
        self._entries = self._bytes.cast("Q")
        self.slots = len(self._entries)
        self._unused = bytearray(_CHUNK * _ENTRY.size)
        # The table at the last look, in chunks. Chunks that were never used share one object.
        self._known = [self._unused] * -(-self.slots // _CHUNK)
        # By slot: the newest poll of another host, as an entry in this host's time.
        self._heard: dict[int, int] = {}

    def tell_again(self) -> None:
        """Tell of all grants once more: another host has come, or has missed something."""
        self._known = [self._unused] * len(self._known)

    def reports(self, now_ms: int) -> Iterator[PaceReport]:
        """Yield the reports that the other hosts need of the polls since the last call."""
        for number, known in enumerate(self._known):
            start = number * _CHUNK
            chunk = bytearray(self._entries[start : start + _CHUNK])
            if chunk == known:
                continue
            self._known[number] = chunk
            old = memoryview(known).cast("Q")
            for offset, value in enumerate(memoryview(chunk).cast("Q")):
                if value != old[offset] and value:
                    report = self._report(start + offset, value, old[offset], now_ms)
                    if report is not None:
                        yield report

    def take(self, reports: Iterable[PaceReport], now_ms: int) -> None:
        """Enter the polls that another host has judged."""
        for report in reports:
            if report.slot < self.slots:
                self._take(report, now_ms)

    def forget(self, now_ms: int) -> None:
        """Forget the polls of other hosts that are too old to matter. Call it now and then."""
        self._heard = {
            slot: value
            for slot, value in self._heard.items()
            if unpack(value).age_ms(now_ms) < LATELY_MS
        }

    def _report(self, slot: int, value: int, before: int, now_ms: int) -> PaceReport | None:
        entry = unpack(value)
        age_ms = entry.age_ms(now_ms)
        if age_ms >= entry.interval * 1000:
            return None
        is_changed = unpack(before)[:2] != entry[:2]
        if is_changed or self._is_shared(slot, entry, before, now_ms):
            return PaceReport(slot, entry.fingerprint, entry.interval, age_ms)
        return None

    def _is_shared(self, slot: int, entry: Entry, before: int, now_ms: int) -> bool:
        """Whether another host has reported this grant lately."""
        value = self._heard.get(slot)
        if value is None:
            return False
        heard = unpack(value)
        return heard.fingerprint == entry.fingerprint and (
            value == before or heard.age_ms(now_ms) < LATELY_MS
        )

    def _take(self, report: PaceReport, now_ms: int) -> None:
        slot = report.slot
        polled_ms = now_ms - min(report.age_ms, _LONGEST_AGE_MS)
        value = pack(report.fingerprint, report.interval, polled_ms)
        self._heard[slot] = value
        own = self._entries[slot]
        if not own or unpack(own).age_ms(now_ms) > report.age_ms:
            self._entries[slot] = value
            self._note(slot, value)

    def _note(self, slot: int, value: int) -> None:
        """Remember an entry, so that the next look does not take it for new."""
        number, offset = divmod(slot, _CHUNK)
        if self._known[number] is self._unused:
            self._known[number] = self._unused.copy()
        _ENTRY.pack_into(self._known[number], offset * _ENTRY.size, value)
