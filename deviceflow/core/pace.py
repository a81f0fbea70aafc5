"""Pace: how often a grant may be polled (RFC 8628 section 3.5, `slow_down`).

The rules:
- The first poll is always in time.
- A poll is too fast if it comes earlier than the interval in force, minus an allowance for
  jitter (10 %, at least 250 ms).
- A poll that is too fast gets `slow_down`, and the interval in force grows:
  - A device that polls faster than its first interval ignores the pace. The interval in force
    grows by 5 s each time, up to the cap.
  - A device that waits at least its first interval follows an older answer. The interval in
    force becomes the device's own interval plus 5 s. An obeying device waits exactly that long
    after this answer.
- The pace never delays a decided grant, because its polls are not checked.
- While the worker is busy, a poll in time may get `slow_down`, too (`load_interval.py`). Then the
  interval in force grows by 5 s, as the device's own does.

Why the two cases? Answers can get lost, so the server's interval may be longer than the one
that the device knows. If the server added 5 s to its own interval, it would stay ahead of the
device, and each poll would get another `slow_down`, up to the cap. With the second rule, the
device is in step again after a single `slow_down`, however many answers were lost or doubled.

An entry of the pace table is an unsigned 64-bit number:

    fingerprint (16)  |  interval in force, s (10)  |  last poll, ms (38)

An entry that was never used is 0. The fingerprint shows whether the slot has been reused for
another grant. The new grant then starts with its own first interval.
"""

from typing import NamedTuple

from deviceflow.core.load_interval import SLOW_DOWN_S, Demand

MAX_INTERVAL_S = (1 << 10) - 1
"""The longest interval that an entry can hold, in s. A longer interval counts as this."""

_CLOCK_BITS = 38
_CLOCK = (1 << _CLOCK_BITS) - 1
_LONGEST_AGE_MS = _CLOCK >> 1
_INTERVAL_BITS = 10
_INTERVAL = (1 << _INTERVAL_BITS) - 1
_FINGERPRINT_AT = _CLOCK_BITS + _INTERVAL_BITS
_FINGERPRINT = (1 << 16) - 1
_MIN_ALLOWANCE_MS = 250


class Judgement(NamedTuple):
    """The entry to store, and the new interval (s) for a device that is too fast, else 0."""

    entry: int
    slow_down: int


class Entry(NamedTuple):
    """An entry, taken apart. `interval` in s; `polled_ms`: the last 38 bits of a clock reading."""

    fingerprint: int
    interval: int
    polled_ms: int

    def age_ms(self, now_ms: int) -> int:
        """Return how long ago the last poll was, in ms. A poll in the future counts as now."""
        # Of a poll in the future, the difference modulo 2**38 is huge.
        elapsed = (now_ms - self.polled_ms) & _CLOCK
        return 0 if elapsed > _LONGEST_AGE_MS else elapsed


def fingerprint(grant_id: int) -> int:
    """Return 16 bits, never 0, that distinguish a grant from others in the same slot."""
    # These are bits of the random nonce. Bits of the slot number would often be equal.
    return (grant_id & _FINGERPRINT) or 1


def judge(entry: int, mark: int, now_ms: int, interval: int, max_interval: int) -> Judgement:
    """Judge a poll at `now_ms` of a grant whose fingerprint is `mark`.

    `interval`: the interval of the device authorization response, s. `max_interval`: the cap, s.
    """
    before = unpack(entry)
    if before.fingerprint != mark:
        return Judgement(pack(mark, interval, now_ms), 0)
    in_force = before.interval
    # Another worker may have read the clock a little later but written its entry earlier.
    elapsed = before.age_ms(now_ms)
    if elapsed >= _earliest(in_force):
        return Judgement(pack(mark, in_force, now_ms), 0)
    grown = _grow(elapsed, in_force, interval, max_interval)
    return Judgement(pack(mark, grown, now_ms), grown)


def _earliest(interval: int) -> int:
    """Return the shortest time after the last poll at which a poll is in time, in ms."""
    return interval * 1000 - max(_MIN_ALLOWANCE_MS, interval * 100)


def _grow(elapsed: int, in_force: int, interval: int, max_interval: int) -> int:
    known = in_force
    if elapsed >= _earliest(interval):
        known = max(interval, elapsed // 1000)  # the interval that the device follows
    return max(interval, min(known + SLOW_DOWN_S, max_interval))


def pack(mark: int, interval: int, now_ms: int) -> int:
    """Return the entry of a grant with the fingerprint `mark` that is polled at `now_ms`."""
    # A longer interval would overflow into the fingerprint. A shorter one is harmless.
    interval = min(interval, MAX_INTERVAL_S)
    return (mark << _INTERVAL_BITS | interval) << _CLOCK_BITS | now_ms & _CLOCK


def unpack(entry: int) -> Entry:
    """Take an entry apart."""
    return Entry(entry >> _FINGERPRINT_AT, entry >> _CLOCK_BITS & _INTERVAL, entry & _CLOCK)


class PaceTable:
    """The entries of all live grants, in memory that the workers of a host share.

    `memory`: a writable buffer of 8 bytes per slot, zeroed at first. `slowed_for_load`: how many
    polls in time got slow_down from this worker.

    There is no lock. An entry is read and written as an aligned machine word, so a worker never
    sees half of it. If two workers judge two polls of a grant at the same instant, both may read
    the older entry. Then a poll that is too fast counts as in time, which is harmless.
    """

    def __init__(self, memory: memoryview, max_interval: int) -> None:
        self._entries = memory.cast("B").cast("Q")
        self._size = len(self._entries)
        self._max_interval = max_interval
        self.slowed_for_load = 0
        self._demand = Demand()
        self._earliest = [_earliest(interval) for interval in range(MAX_INTERVAL_S + 1)]
        # By interval: the age of the last poll, in ms, from which on a poll is surely in time.
        self._surely_in_time = self._earliest

    def ask_for(self, demand: Demand) -> None:
        """Have pending grants poll less often from now on, as `demand` says."""
        if demand == self._demand:
            return
        self._demand = demand
        # A poll that comes as seldom as the load asks for costs no more than without any load, nor
        # does one whose interval is long enough.
        self._surely_in_time = [
            each if demand.is_met_by(interval) else max(each, demand.interval_ms)
            for interval, each in enumerate(self._earliest)
        ]

    def judge(self, grant_id: int, slot: int, now_ms: int, interval: int) -> int:
        """Judge a poll. Return 0 if it is in time, else the interval (s) now in force."""
        index = slot % self._size
        entry = self._entries[index]
        mark = grant_id & _FINGERPRINT or 1
        now_ms &= _CLOCK
        # Most polls are in time. This is `judge` for them, without its calls. A clock reading from
        # the past gives a negative time, or a huge one where the clock ran over: `judge` has them,
        # but for a few milliseconds where the interval is 0.
        if entry >> _FINGERPRINT_AT == mark:
            elapsed = now_ms - (entry & _CLOCK)
            in_force = entry >> _CLOCK_BITS & _INTERVAL
            if self._surely_in_time[in_force] <= elapsed <= _LONGEST_AGE_MS or (
                self._earliest[in_force] <= elapsed <= _LONGEST_AGE_MS
                and not self._demand.slows(in_force, grant_id)
            ):
                # The last poll is in the lowest bits, and `now_ms` fits there: the sum puts it in
                # its place, and carries nothing.
                self._entries[index] = entry + elapsed
                return 0
        judged = judge(entry, mark, now_ms, interval, self._max_interval)
        if not judged.slow_down and self._demand.interval_ms:
            judged = self._slow_for_load(judged, unpack(entry), grant_id, now_ms)
        self._entries[index], slow_down = judged
        return slow_down

    def interval_of(self, grant_id: int, slot: int, interval: int) -> int:
        """Return the interval in force, in s; `interval`, the first one, before any poll."""
        entry = unpack(self._entries[slot % self._size])
        return entry.interval if entry.fingerprint == fingerprint(grant_id) else interval

    def _slow_for_load(
        self, judged: Judgement, before: Entry, grant_id: int, now_ms: int
    ) -> Judgement:
        """Return the judgement of a poll in time while the worker is busy."""
        mark = fingerprint(grant_id)
        is_first = before.fingerprint != mark
        if is_first or before.age_ms(now_ms) >= self._demand.interval_ms:
            return judged
        if not self._demand.slows(before.interval, grant_id):
            return judged
        self.slowed_for_load += 1
        longer = before.interval + SLOW_DOWN_S
        return Judgement(pack(mark, longer, now_ms), longer)
