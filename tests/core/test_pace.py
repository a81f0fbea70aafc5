"""Pace: polls that are too fast, and devices that obey slow_down (RFC 8628 3.5)."""

import mmap
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deviceflow.core.device_code import NONCE_BITS
from deviceflow.core.load_interval import SLOW_DOWN_S, Demand, IntervalBounds, LoadInterval
from deviceflow.core.pace import MAX_INTERVAL_S, PaceTable, fingerprint, judge, pack

NOW_MS = 1_800_000_000_000
CAP = 60
MARK = 0xBEEF


class Server:
    """The pace of one grant. The test moves `now_ms`."""

    def __init__(self, interval: int = 5, cap: int = CAP) -> None:
        self.interval = interval
        self.cap = cap
        self.entry = 0
        self.now_ms = NOW_MS

    def poll(self, after_s: float) -> int:
        """Poll `after_s` after the last poll. Return 0 if in time, else the new interval."""
        self.now_ms += round(after_s * 1000)
        self.entry, slow_down = judge(self.entry, MARK, self.now_ms, self.interval, self.cap)
        return slow_down


intervals = st.integers(1, CAP)


@given(intervals, st.integers(0, NOW_MS * 2))
def test_the_first_poll_is_free(interval: int, now_ms: int) -> None:
    assert judge(0, MARK, now_ms, interval, CAP).slow_down == 0


@given(intervals, st.floats(1, 1000), st.integers(1, 20))
def test_who_keeps_the_interval_is_never_slowed(interval: int, slack: float, polls: int) -> None:
    """8628-3.2-b."""
    server = Server(interval)
    assert [server.poll(interval * slack) for _ in range(polls)] == [0] * polls


@pytest.mark.parametrize(
    ("interval", "earliest_ms"), [(1, 750), (2, 1750), (5, 4500), (10, 9000), (60, 54_000)]
)
def test_jitter_is_allowed_for(interval: int, earliest_ms: int) -> None:
    """10 %, at least 250 ms."""
    for early_ms, in_time in ((earliest_ms, True), (earliest_ms - 1, False)):
        server = Server(interval)
        server.poll(0)
        assert (server.poll(early_ms / 1000) == 0) is in_time


def test_a_slow_down_adds_five_seconds_for_good() -> None:
    """8628-3.5-b: fast, then at the interval, then at the interval plus 5."""
    server = Server(interval=5)
    assert server.poll(0) == 0
    assert server.poll(1) == 10
    assert server.poll(5) == 10
    assert [server.poll(10) for _ in range(5)] == [0] * 5
    assert server.poll(5) == 10


@given(intervals, st.lists(st.floats(0, 0.7), min_size=20, max_size=60))
def test_who_ignores_the_pace_is_held_to_the_cap(interval: int, waits: list[float]) -> None:
    server = Server(interval)
    server.poll(0)
    answers = [server.poll(wait) for wait in waits]
    assert answers == [min(interval + SLOW_DOWN_S * (i + 1), CAP) for i in range(len(waits))]
    assert server.poll(CAP - 7) > 0
    assert server.poll(CAP) == 0


@given(intervals, st.lists(st.floats(0, 200), max_size=60), st.integers(1, CAP))
def test_nobody_is_told_more_than_the_cap(interval: int, waits: list[float], cap: int) -> None:
    server = Server(interval, cap)
    for wait in waits:
        slow_down = server.poll(wait)
        assert slow_down == 0 or interval <= slow_down <= max(cap, interval)


@given(st.integers(1, 3600), st.integers(1, 3600), st.lists(st.floats(0, 4000), max_size=20))
def test_an_interval_that_fits_no_entry_harms_nobody(
    interval: int, cap: int, waits: list[float]
) -> None:
    """An interval may be an hour, but an entry holds 1023 s: the fingerprint must not change."""
    server = Server(interval, cap)
    for wait in waits:
        slow_down = server.poll(wait)
        assert server.entry >> 48 == MARK
        assert not (slow_down and wait >= max(interval, min(cap, MAX_INTERVAL_S)))
    server.poll(0)
    assert server.poll(0) >= interval


@pytest.mark.parametrize("behind_ms", [0, 1, 999, 60_000])
def test_a_clock_that_is_a_little_behind_is_no_long_wait(behind_ms: int) -> None:
    server = Server()
    server.poll(0)
    assert server.poll(-behind_ms / 1000) == 10
    assert server.poll(10) == 0


def test_the_clock_may_run_over() -> None:
    """38 bits of milliseconds overflow after 8.7 years."""
    server = Server()
    server.now_ms = (1 << 38) * 7 - 2000
    assert server.poll(0) == 0
    assert server.poll(5) == 0
    assert server.poll(1) == 10


# The table


@given(st.integers(0, (1 << 64) - 1))
def test_a_fingerprint_is_never_that_of_an_unused_entry(grant_id: int) -> None:
    assert 0 < fingerprint(grant_id) < 1 << 16


@given(st.integers(0, MAX_INTERVAL_S), st.integers(0, 1 << 40), st.integers(-1000, 1_200_000))
@example(interval=0, last_ms=1 << 38, after_ms=-100)
@example(interval=5, last_ms=1 << 38, after_ms=-4)
@example(interval=MAX_INTERVAL_S, last_ms=(1 << 38) - 1, after_ms=MAX_INTERVAL_S * 1000)
def test_the_table_keeps_what_the_rule_says(interval: int, last_ms: int, after_ms: int) -> None:
    """The table judges most polls by itself, with less work than `judge`."""
    memory, now_ms = bytearray(8), max(0, last_ms + after_ms)
    entry = pack(MARK, interval, last_ms)
    memory[:] = entry.to_bytes(8, sys.byteorder)
    slow_down = PaceTable(memoryview(memory), CAP).judge(MARK, 0, now_ms, interval)
    kept = int.from_bytes(memory, sys.byteorder)
    assert (kept, slow_down) == judge(entry, MARK, now_ms, interval, CAP)


@given(
    st.integers(0, (1 << 40) - 1),
    st.tuples(*[st.integers(0, (1 << NONCE_BITS) - 1)] * 2),
    st.lists(st.floats(0, 20), min_size=1, max_size=20),
)
def test_a_reused_slot_never_punishes_a_stranger(
    slot: int, nonces: tuple[int, int], waits: list[float]
) -> None:
    """Whatever the grant before it did, and whenever the new one begins."""
    before, after = (slot << NONCE_BITS | nonce for nonce in nonces)
    table, now = PaceTable(memoryview(bytearray(8 * 16)), CAP), NOW_MS
    for wait in waits:
        now += round(wait * 1000)
        table.judge(before, slot, now, 5)
    if fingerprint(before) != fingerprint(after):
        assert table.judge(after, slot + 16, now, 5) == 0
        assert table.judge(after, slot + 16, now + 5000, 5) == 0


def test_slots_next_to_each_other_are_apart() -> None:
    table = PaceTable(memoryview(bytearray(8 * 4)), CAP)
    ids = [slot << NONCE_BITS | 1 for slot in range(4)]
    assert [table.judge(ids[slot], slot, NOW_MS, 5) for slot in range(4)] == [0] * 4
    assert [table.judge(ids[slot], slot, NOW_MS, 5) for slot in range(4)] == [10] * 4


def test_workers_share_the_pace(tmp_path: Path) -> None:
    """`slow_down` is exact, whichever worker of a host receives a poll."""
    (tmp_path / "pace").write_bytes(bytes(8 * 1024))
    with (tmp_path / "pace").open("r+b") as file:
        tables = [PaceTable(memoryview(mmap.mmap(file.fileno(), 0)), CAP) for _ in range(2)]
    first, second = tables
    assert first.judge(77 << NONCE_BITS, 77, NOW_MS, 5) == 0
    assert second.judge(77 << NONCE_BITS, 77, NOW_MS + 1000, 5) == 10
    assert first.judge(77 << NONCE_BITS, 77, NOW_MS + 11_000, 5) == 0


# Under load


def asked(seconds: float, longest: int = 60) -> Demand:
    return Demand.of(LoadInterval(seconds), IntervalBounds(5, longest))


loads = st.lists(st.floats(5, 60), min_size=1, max_size=40)


@given(intervals, st.integers(0, (1 << NONCE_BITS) - 1), loads, st.floats(0, 0.05))
def test_a_device_that_adds_five_seconds_is_slowed_only_by_load(
    interval: int, nonce: int, load: list[float], jitter: float
) -> None:
    """8628-3.2-b: the interval that it was told, and 5 s for each slow_down, is never too short."""
    table, now, told = PaceTable(memoryview(bytearray(8)), CAP), NOW_MS, interval
    for seconds in load:
        table.ask_for(asked(seconds))
        slowed = table.slowed_for_load
        slow_down = table.judge(nonce, 0, now, interval)
        assert bool(slow_down) == table.slowed_for_load - slowed
        if slow_down:
            told += SLOW_DOWN_S
            assert slow_down == told, "the server knows the device's own interval"
        now += round(told * 1000 * (1 - jitter))
    assert told <= max(interval, CAP)


def test_the_first_poll_is_free_under_load_too() -> None:
    table = PaceTable(memoryview(bytearray(8)), CAP)
    table.ask_for(asked(20))
    assert [table.judge(1, 0, NOW_MS + after, 5) for after in (0, 5000, 15_000)] == [0, 10, 15]


def test_a_device_that_polls_seldom_is_not_slowed() -> None:
    """A poll that is held for 30 s costs less than several that are not."""
    table = PaceTable(memoryview(bytearray(8)), CAP)
    table.ask_for(asked(20))
    assert [table.judge(1, 0, NOW_MS + after, 5) for after in (0, 30_000, 60_000)] == [0, 0, 0]


def test_after_the_load_nobody_is_slowed_further() -> None:
    table = PaceTable(memoryview(bytearray(8)), CAP)
    table.ask_for(asked(20))
    assert [table.judge(1, 0, NOW_MS + after, 5) for after in (0, 5000)] == [0, 10]
    table.ask_for(asked(5))
    assert table.judge(1, 0, NOW_MS + 15_000, 5) == 0
    assert table.judge(1, 0, NOW_MS + 20_000, 5) == 10, "5 s are too fast since it was told 10"


def test_a_device_that_is_too_fast_is_told_so_under_load() -> None:
    table = PaceTable(memoryview(bytearray(8)), CAP)
    table.ask_for(asked(20))
    assert [table.judge(1, 0, NOW_MS + after, 5) for after in (0, 100, 200)] == [0, 10, 15]
    assert table.slowed_for_load == 0


def test_each_grant_has_its_own_share_of_the_load() -> None:
    """On the way from 5 to 10 s, a fifth of the grants is slowed at 6 s."""
    table = PaceTable(memoryview(bytearray(8 * 1000)), CAP)
    table.ask_for(asked(6))
    grants = [(slot << NONCE_BITS | slot * 7919 << 8 & 0xFFFFFF, slot) for slot in range(1000)]
    for now in (NOW_MS, NOW_MS + 5000):
        for grant_id, slot in grants:
            table.judge(grant_id, slot, now, 5)
    assert 150 < table.slowed_for_load < 250
