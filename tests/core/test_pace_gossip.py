"""Pace over several hosts: what they tell each other, and what it comes to for devices."""

from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deviceflow.core.device_code import NONCE_BITS
from deviceflow.core.pace import MAX_INTERVAL_S, PaceTable, fingerprint, pack, unpack
from deviceflow.core.pace_gossip import LATELY_MS, PaceGossip, PaceMessage, PaceReport

SLOTS = 1024
CAP_S = 60
INTERVAL_S = 5
GRANT = 77 << NONCE_BITS | 0xABCDEF
EVERY_MS = 200
"""How often hosts tell each other here."""


class Host:
    """A host whose steady clock is `ahead_ms` ahead of the test's."""

    def __init__(self, ahead_ms: int = 0, slots: int = SLOTS) -> None:
        self.memory = memoryview(bytearray(8 * slots))
        self.table = PaceTable(self.memory, CAP_S)
        self.gossip = PaceGossip(self.memory)
        self.ahead_ms = ahead_ms

    def poll(self, at_ms: int, grant: int = GRANT) -> int:
        """Judge a poll. Return 0 if it is in time, else the interval."""
        return self.table.judge(grant, grant >> NONCE_BITS, at_ms + self.ahead_ms, INTERVAL_S)

    def reports(self, at_ms: int) -> list[PaceReport]:
        return list(self.gossip.reports(at_ms + self.ahead_ms))

    def take(self, reports: Iterable[PaceReport], at_ms: int) -> None:
        self.gossip.take(reports, at_ms + self.ahead_ms)


class Fleet:
    """Hosts with clocks of their own, which tell each other every EVERY_MS."""

    def __init__(self, count: int) -> None:
        self.hosts = [Host(ahead_ms=number * 7_777_777) for number in range(count)]
        self.now_ms = 10_000_000
        self.told: Counter[Host] = Counter()

    def wait(self, ms: int) -> None:
        end = self.now_ms + ms
        while (next_round := self.now_ms - self.now_ms % EVERY_MS + EVERY_MS) <= end:
            self.now_ms = next_round
            self.exchange()
        self.now_ms = end

    def exchange(self) -> None:
        for host in self.hosts:
            reports = host.reports(self.now_ms)
            self.told[host] += len(reports)
            for other in self.hosts:
                if other is not host:
                    other.take(reports, self.now_ms)

    def poll(self, host: int) -> int:
        return self.hosts[host].poll(self.now_ms)


hosts = st.lists(st.integers(0, 2), min_size=2, max_size=40)


@given(hosts)
def test_a_device_that_keeps_the_interval_is_never_slowed(route: list[int]) -> None:
    fleet = Fleet(3)
    for host in route:
        assert fleet.poll(host) == 0
        fleet.wait(INTERVAL_S * 1000)


@given(hosts, st.integers(100, 4_400))
def test_a_device_that_polls_too_fast_is_caught_on_any_route(route: list[int], gap: int) -> None:
    """At most one poll a second gets through that one host would have caught."""
    fleet, alone = Fleet(3), Host()
    caught_alone = caught = 0
    for host in route:
        caught_alone += alone.poll(fleet.now_ms) > 0
        caught += fleet.poll(host) > 0
        fleet.wait(gap)
    seconds = len(route) * gap / 1000
    assert caught_alone - caught <= max(1, seconds)
    if gap > EVERY_MS:
        # The others have heard of a poll before the next one comes.
        assert caught == caught_alone


@given(hosts)
def test_a_device_that_obeys_is_in_step_again_after_one_slow_down(route: list[int]) -> None:
    fleet = Fleet(3)
    fleet.poll(route[0])
    fleet.wait(1000)
    interval = fleet.poll(route[1])
    assert interval == INTERVAL_S + 5
    for host in route:
        fleet.wait(interval * 1000)
        assert fleet.poll(host) == 0


def test_a_device_that_stays_with_one_host_is_told_of_once() -> None:
    fleet = Fleet(2)
    for _ in range(50):
        fleet.poll(0)
        fleet.wait(INTERVAL_S * 1000)
    assert list(fleet.told.values()) == [1, 0]


def test_a_device_that_moves_late_is_told_of_by_both() -> None:
    """The first host hears nothing for long. Then the device goes to and fro."""
    fleet = Fleet(2)
    fleet.poll(0)
    fleet.wait(LATELY_MS * 2)
    fleet.poll(1)
    fleet.wait(INTERVAL_S * 1000)
    fleet.poll(0)
    fleet.wait(1000)
    assert fleet.poll(1) > 0
    fleet.wait(1000)
    assert fleet.poll(0) > 0


def test_the_reports_end_when_the_other_host_is_silent() -> None:
    fleet = Fleet(2)
    for host in (0, 1) * 5:
        fleet.poll(host)
        fleet.wait(INTERVAL_S * 1000)
    told = fleet.told.copy()
    for _ in range(LATELY_MS // 1000):
        fleet.poll(0)
        fleet.wait(INTERVAL_S * 1000)
    told_since = fleet.told[fleet.hosts[0]] - told[fleet.hosts[0]]
    assert LATELY_MS // 5000 - 1 <= told_since <= LATELY_MS // 5000 + 1


def test_a_host_that_comes_later_hears_of_all_grants() -> None:
    old, new = Host(), Host(ahead_ms=123_456)
    old.poll(0)
    old.reports(0)
    old.gossip.tell_again()
    new.take(old.reports(1000), 1000)
    assert new.poll(2000) == INTERVAL_S + 5


def test_a_poll_that_can_slow_nothing_down_is_not_told() -> None:
    host = Host()
    host.poll(0)
    assert host.reports(INTERVAL_S * 1000) == []


def test_the_later_poll_wins() -> None:
    host = Host()
    host.poll(10_000)
    mark = fingerprint(GRANT)
    for age_ms, interval, expected in ((3000, 20, INTERVAL_S), (1000, 25, 25)):
        host.take([PaceReport(77, mark, interval, age_ms)], 12_000)
        entry = unpack(host.memory.cast("Q")[77])
        assert entry.interval == expected
    assert entry.age_ms(12_000) == 1000


def test_a_slot_that_was_handed_on_starts_afresh() -> None:
    first, second = Host(), Host()
    next_grant = GRANT ^ 0x1234
    first.poll(0)
    second.take(first.reports(0), 0)
    assert second.poll(100, next_grant) == 0
    assert [report.fingerprint for report in second.reports(100)] == [fingerprint(next_grant)]


def test_forgetting_keeps_what_is_new() -> None:
    host = Host()
    mark = fingerprint(GRANT)
    host.take([PaceReport(1, mark, 5, 0)], 0)
    host.take([PaceReport(2, mark, 5, 0)], LATELY_MS - 1)
    host.gossip.forget(LATELY_MS)
    host.poll(LATELY_MS, 2 << NONCE_BITS | 0xABCDEF)
    assert [report.slot for report in host.reports(LATELY_MS)] == [2]


@pytest.mark.parametrize("slots", [512, 513, 1300])
def test_every_slot_is_looked_at(slots: int) -> None:
    host = Host(slots=slots)
    for slot in range(slots):
        host.poll(0, slot << NONCE_BITS | 9)
    assert [report.slot for report in host.reports(10)] == list(range(slots))
    assert host.reports(10) == []


reports = st.builds(
    PaceReport,
    st.integers(0, (1 << 32) - 1),
    st.integers(1, (1 << 16) - 1),
    st.integers(0, MAX_INTERVAL_S),
    st.integers(0, (1 << 32) - 1),
)


@given(st.binary(min_size=8, max_size=8), st.integers(0, (1 << 32) - 1), st.lists(reports))
def test_a_message_survives_the_channel(host: bytes, slots: int, told: list[PaceReport]) -> None:
    message = PaceMessage(host, slots, tuple(told))
    assert PaceMessage.decode(message.encode()) == message


@given(st.binary(max_size=60))
def test_any_bytes_are_a_message_or_none(data: bytes) -> None:
    message = PaceMessage.decode(data)
    assert message is None or message.encode() == data


@given(st.lists(reports, max_size=20), st.integers(0, 1 << 50))
def test_no_report_harms_the_table(told: list[PaceReport], now_ms: int) -> None:
    host = Host()
    host.take(told, now_ms)
    for value in host.memory.cast("Q"):
        assert value == pack(*unpack(value))
