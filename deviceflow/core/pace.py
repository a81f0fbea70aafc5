"""Pace: how often one grant may be polled (RFC 8628 section 3.5, `slow_down`).

The rules:
- the first poll is free;
- a poll is too fast when it comes earlier than the interval in force, less an allowance for
  jitter (10 %, at least 250 ms);
- a poll that is too fast gets `slow_down`, and the interval in force grows. For a device that
  ignores the pace (polls faster than it was ever told) it grows by 5 s each time, up to the
  cap. For a device that keeps *some* interval it was told, it becomes that interval plus 5 s:
  just what an obeying device waits after this answer. So a device that lost any number of
  answers on the way, or sent one twice, is in step again after one `slow_down`; growing by
  5 s blindly, the server would stay ahead of it up to the cap;
- the pace never delays a grant that is decided: nobody asks it then.

An entry of the pace table is one unsigned 64-bit number:

    fingerprint (16)  |  interval in force, s (10)  |  last poll, ms (38)

0 is an entry never used. The fingerprint tells a slot that was handed on to another grant:
that grant starts afresh, it is never punished for its predecessor.
"""

from typing import NamedTuple

SLOW_DOWN_S = 5
"""RFC 8628 3.5: the interval MUST be increased by 5 seconds."""

MAX_INTERVAL_S = (1 << 10) - 1
"""The longest interval that is held to; a longer one counts as this."""

_CLOCK_BITS = 38
_CLOCK = (1 << _CLOCK_BITS) - 1
_INTERVAL_BITS = 10
_INTERVAL = (1 << _INTERVAL_BITS) - 1
_FINGERPRINT = (1 << 16) - 1
_MIN_ALLOWANCE_MS = 250


class Judgement(NamedTuple):
    """The entry to store, and the interval (s) to tell a device that is too fast, else 0."""

    entry: int
    slow_down: int


def fingerprint(grant_id: int) -> int:
    """16 bits, never 0, that tell one grant from the next in the same slot."""
    # The nonce's low bits are random: no arithmetic of slot numbers can line them up.
    return (grant_id & _FINGERPRINT) or 1


def judge(entry: int, mark: int, now_ms: int, interval: int, max_interval: int) -> Judgement:
    """Judge a poll at `now_ms` of a grant whose fingerprint is `mark`.

    `interval`: what the device was told first, s; `max_interval`: the cap, s.
    """
    now_ms &= _CLOCK
    if entry >> (_CLOCK_BITS + _INTERVAL_BITS) != mark:
        return Judgement(_pack(mark, interval, now_ms), 0)
    in_force = (entry >> _CLOCK_BITS) & _INTERVAL
    # Another worker's clock reading may be a little ahead of ours: that is no negative time.
    elapsed = (now_ms - (entry & _CLOCK)) & _CLOCK
    if elapsed > _CLOCK >> 1:
        elapsed = 0
    if elapsed >= _earliest(in_force):
        return Judgement(_pack(mark, in_force, now_ms), 0)
    grown = _grow(elapsed, in_force, interval, max_interval)
    return Judgement(_pack(mark, grown, now_ms), grown)


def _earliest(interval: int) -> int:
    """The age in ms of the last poll from which on the next one is in time."""
    return interval * 1000 - max(_MIN_ALLOWANCE_MS, interval * 100)


def _grow(elapsed: int, in_force: int, interval: int, max_interval: int) -> int:
    if elapsed >= _earliest(interval):
        kept = max(interval, elapsed // 1000)
        return max(interval, min(kept + SLOW_DOWN_S, max_interval))
    return max(interval, min(in_force + SLOW_DOWN_S, max_interval))


def _pack(mark: int, interval: int, now_ms: int) -> int:
    # A longer one would spill into the fingerprint; to hold a device to less harms nobody.
    interval = min(interval, MAX_INTERVAL_S)
    return (mark << _INTERVAL_BITS | interval) << _CLOCK_BITS | now_ms


class PaceTable:
    """The entries of all live grants, in memory that the workers of a host share.

    `memory`: a writable buffer of 8 bytes a slot, zeroed at first. A slot is read and written
    as one aligned machine word, so a worker never sees half an entry; two workers that judge
    two polls of one grant in the same instant may both find the older entry, which lets one
    poll too many pass and harms nobody.
    """

    def __init__(self, memory: memoryview, max_interval: int) -> None:
        self._entries = memory.cast("B").cast("Q")
        self._size = len(self._entries)
        self._max_interval = max_interval
        self._earliest = [_earliest(interval) for interval in range(MAX_INTERVAL_S + 1)]

    def judge(self, grant_id: int, slot: int, now_ms: int, interval: int) -> int:
        """0 for a poll that keeps the pace, else the interval (s) now in force."""
        index = slot % self._size
        entry = self._entries[index]
        mark = fingerprint(grant_id)
        now_ms &= _CLOCK
        # Most polls are in time: answer them here, in short, as `judge` would.
        if entry >> _CLOCK_BITS + _INTERVAL_BITS == mark:
            elapsed = now_ms - (entry & _CLOCK)
            if elapsed >= self._earliest[entry >> _CLOCK_BITS & _INTERVAL]:
                self._entries[index] = entry & ~_CLOCK | now_ms
                return 0
        self._entries[index], slow_down = judge(entry, mark, now_ms, interval, self._max_interval)
        return slow_down
