"""A device that obeys RFC 8628 comes into step, whatever the network did to its polls.

The device adds 5 s to its interval for each slow_down that reaches it (8628-3.5-b), or takes
over the interval of the answer's body. The network loses requests and answers, delivers
requests twice, and delays both, so that they overtake each other; then it behaves.
"""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import count
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deviceflow.core.pace import SLOW_DOWN_S, judge

CAP = 60
MARK = 1
CLEAN_POLLS = 12
STEPS_TO_CONVERGE = 2
"""Polls after the last fault that may still be too fast: one that comes soon after a delayed
one, and one in which the server learns which interval the device keeps."""


class Obedience(Enum):
    """What a device does with a slow_down."""

    ADDS_FIVE = "adds 5 s"
    READS_INTERVAL = "takes the interval of the body"


class Passage(NamedTuple):
    """What the network does to one poll; times in s."""

    request_lost: bool = False
    answer_lost: bool = False
    request_delay: float = 0.0
    answer_delay: float = 0.0
    copies_after: tuple[float, ...] = ()


class Answer(NamedTuple):
    """An answer that the device received, `told` 0 for authorization_pending."""

    poll: int
    told: int


@dataclass
class Simulation:
    """One device, one server, and the network between them."""

    interval: int
    obedience: Obedience
    passages: Sequence[Passage]
    now: float = 0.0
    entry: int = 0
    device_interval: int = 0
    received: list[Answer] = field(default_factory=list)
    highest: int = 0

    def __post_init__(self) -> None:
        self.device_interval = self.interval
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def run(self) -> None:
        """Poll once for each passage."""
        self._at(0, lambda: self._send(0))
        while self._agenda:
            self.now, _, action = heapq.heappop(self._agenda)
            action()

    @property
    def in_force(self) -> int:
        """The interval that the server holds the device to, s."""
        return self.entry >> 38 & 0x3FF

    def _at(self, delay: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (self.now + delay, next(self._order), action))

    def _send(self, poll: int) -> None:
        passage = self.passages[poll]
        if not passage.request_lost:
            for delay in (0.0, *passage.copies_after):
                self._at(passage.request_delay + delay, lambda: self._arrive(poll, passage))
        if poll + 1 < len(self.passages):
            self._wait(self.now, poll + 1)

    def _wait(self, sent: float, poll: int) -> None:
        """Poll again when the interval is over; it may have grown by then."""
        due = sent + self.device_interval
        if due <= self.now:
            self._send(poll)
        else:
            self._at(due - self.now, lambda: self._wait(sent, poll))

    def _arrive(self, poll: int, passage: Passage) -> None:
        now_ms = round(self.now * 1000) + 1_800_000_000_000
        self.entry, told = judge(self.entry, MARK, now_ms, self.interval, CAP)
        if not passage.answer_lost:
            self._at(passage.answer_delay, lambda: self._receive(Answer(poll, told)))

    def _receive(self, answer: Answer) -> None:
        self.received.append(answer)
        if not answer.told:
            return
        if self.obedience is Obedience.ADDS_FIVE:
            self.device_interval += SLOW_DOWN_S
        else:
            self.device_interval = answer.told
        self.highest = max(self.highest, self.device_interval)


delays = st.one_of(st.just(0.0), st.floats(0, 0.2), st.floats(0, 30))
faulty = st.builds(
    Passage,
    request_lost=st.booleans(),
    answer_lost=st.booleans(),
    request_delay=delays,
    answer_delay=delays,
    copies_after=st.lists(st.floats(0, 30), max_size=3).map(tuple),
)
small_jitter = st.floats(0, 0.1)
clean = st.tuples(small_jitter, small_jitter).map(
    lambda jitter: Passage(request_delay=jitter[0], answer_delay=jitter[1])
)
obediences = st.sampled_from(Obedience)


@given(
    st.integers(1, 30),
    obediences,
    st.lists(faulty, max_size=12),
    st.lists(clean, min_size=CLEAN_POLLS, max_size=CLEAN_POLLS),
)
def test_it_converges_after_the_last_fault(
    interval: int, obedience: Obedience, faults: list[Passage], rest: list[Passage]
) -> None:
    """8628-3.5-b: no growing interval that traps an honest client (catalogue, section 3)."""
    # Let what was delayed arrive before the count begins: it is a fault until then.
    settled = [Passage(request_lost=True)] * 61
    simulation = Simulation(interval, obedience, [*faults, *settled, *rest])
    simulation.run()

    since = len(faults) + len(settled)
    answers = [answer.told for answer in simulation.received if answer.poll >= since]
    assert len(answers) == CLEAN_POLLS
    assert answers[STEPS_TO_CONVERGE:] == [0] * (CLEAN_POLLS - STEPS_TO_CONVERGE)
    assert simulation.in_force <= max(simulation.device_interval, interval)


@given(
    st.integers(1, 30),
    obediences,
    st.lists(faulty, max_size=12),
    st.lists(clean, min_size=CLEAN_POLLS, max_size=CLEAN_POLLS),
)
def test_it_converges_even_while_delayed_polls_still_arrive(
    interval: int, obedience: Obedience, faults: list[Passage], rest: list[Passage]
) -> None:
    """The last delayed message is the last fault: from the third poll after it all is well."""
    simulation = Simulation(interval, obedience, [*faults, *rest * 6])
    simulation.run()
    answers = [answer.told for answer in simulation.received if answer.poll >= len(faults)]
    assert answers[-CLEAN_POLLS:] == [0] * CLEAN_POLLS


@given(st.integers(1, 30), obediences, st.lists(st.booleans(), min_size=1, max_size=40))
def test_lost_answers_alone_slow_nobody_down(
    interval: int, obedience: Obedience, lost: list[bool]
) -> None:
    passages = [Passage(answer_lost=each) for each in lost]
    simulation = Simulation(interval, obedience, passages)
    simulation.run()
    assert [answer.told for answer in simulation.received] == [0] * lost.count(False)


@given(obediences, st.integers(0, 40), st.integers(0, 6))
def test_one_hasty_poll_costs_five_seconds_however_many_answers_are_lost(
    obedience: Obedience, lost: int, copies: int
) -> None:
    """A server that adds 5 s to its own figure each time would be at its cap, 60 s, by then."""
    hasty = Passage(answer_lost=True, copies_after=(0.5,) * copies)
    passages = [hasty, *[Passage(answer_lost=True)] * lost, *[Passage()] * CLEAN_POLLS]
    simulation = Simulation(5, obedience, passages)
    simulation.run()
    answers = [answer.told for answer in simulation.received]
    assert answers == ([10] if copies else [0]) + [0] * (CLEAN_POLLS - 1)
    assert simulation.device_interval == (10 if copies else 5)


@pytest.mark.parametrize("obedience", Obedience)
def test_a_poll_that_arrives_twice_costs_five_seconds_at_most(obedience: Obedience) -> None:
    """The server tells nobody to wait for more than 5 s beyond what the device keeps."""
    doubled = Passage(copies_after=(0.0,))
    passages = [Passage(), doubled, *[Passage()] * CLEAN_POLLS]
    simulation = Simulation(5, obedience, passages)
    simulation.run()
    assert simulation.highest == 10
    assert [a.told for a in simulation.received][3:] == [0] * CLEAN_POLLS


@given(
    st.integers(1, 30),
    st.lists(faulty, min_size=1, max_size=12),
    st.lists(clean, min_size=CLEAN_POLLS, max_size=CLEAN_POLLS),
)
def test_what_it_waits_in_the_end_is_bounded_by_what_the_network_did(
    interval: int, faults: list[Passage], rest: list[Passage]
) -> None:
    """Each arrival of a poll may cost 5 s while there are faults; after them two steps may."""
    simulation = Simulation(interval, Obedience.ADDS_FIVE, [*faults, *rest])
    simulation.run()
    arrivals = sum(1 + len(each.copies_after) for each in faults if not each.request_lost)
    steps = arrivals + STEPS_TO_CONVERGE
    assert simulation.device_interval <= interval + SLOW_DOWN_S * steps
