"""A device that obeys RFC 8628 gets in step with the server, whatever the network does.

For each slow_down that it receives, the device adds 5 s to its interval (8628-3.5-b), or takes
the interval of the body. The network loses requests and answers, delivers requests twice, and
delays both, so that they overtake each other. Then the network works.

Times are whole milliseconds, so that every run gives the same result.
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

from deviceflow.core.load_interval import SLOW_DOWN_S
from deviceflow.core.pace import judge

CAP = 60
MARK = 1
CLEAN_POLLS = 12
STEPS_TO_CONVERGE = 2
"""The most polls after the last fault that may still be too fast: a poll that comes soon after a
delayed one, and a poll from which the server learns the device's interval."""


class Obedience(Enum):
    """The reaction of a device to slow_down."""

    ADDS_FIVE = "adds 5 s"
    READS_INTERVAL = "takes the interval of the body"


class Passage(NamedTuple):
    """The faults of the network for one poll. Times in ms."""

    request_lost: bool = False
    answer_lost: bool = False
    request_delay: int = 0
    answer_delay: int = 0
    copies_after: tuple[int, ...] = ()


class Answer(NamedTuple):
    """An answer to the device. `slow_down`: the interval, or 0 for authorization_pending."""

    poll: int
    slow_down: int


@dataclass
class Simulation:
    """One device, one server, and the network between them."""

    interval: int
    obedience: Obedience
    passages: Sequence[Passage]
    now: int = 1_800_000_000_000
    entry: int = 0
    device_interval: int = 0
    received: list[Answer] = field(default_factory=list)
    highest: int = 0

    def __post_init__(self) -> None:
        self.device_interval = self.interval
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._order = count()

    def run(self) -> None:
        """Poll once for each passage."""
        self._at(0, lambda: self._send(0))
        while self._agenda:
            self.now, _, action = heapq.heappop(self._agenda)
            action()

    @property
    def in_force(self) -> int:
        """The interval in force at the server, s."""
        return self.entry >> 38 & 0x3FF

    def _at(self, delay: int, action: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (self.now + delay, next(self._order), action))

    def _send(self, poll: int) -> None:
        passage = self.passages[poll]
        if not passage.request_lost:
            for delay in (0, *passage.copies_after):
                self._at(passage.request_delay + delay, lambda: self._arrive(poll, passage))
        if poll + 1 < len(self.passages):
            self._wait(self.now, poll + 1)

    def _wait(self, sent: int, poll: int) -> None:
        """Poll again after the interval, which may grow meanwhile."""
        due = sent + self.device_interval * 1000
        if due <= self.now:
            self._send(poll)
        else:
            self._at(due - self.now, lambda: self._wait(sent, poll))

    def _arrive(self, poll: int, passage: Passage) -> None:
        self.entry, slow_down = judge(self.entry, MARK, self.now, self.interval, CAP)
        if not passage.answer_lost:
            self._at(passage.answer_delay, lambda: self._receive(Answer(poll, slow_down)))

    def _receive(self, answer: Answer) -> None:
        self.received.append(answer)
        if not answer.slow_down:
            return
        if self.obedience is Obedience.ADDS_FIVE:
            self.device_interval += SLOW_DOWN_S
        else:
            self.device_interval = answer.slow_down
        self.highest = max(self.highest, self.device_interval)


delays = st.one_of(st.just(0), st.integers(0, 200), st.integers(0, 30_000))
faulty = st.builds(
    Passage,
    request_lost=st.booleans(),
    answer_lost=st.booleans(),
    request_delay=delays,
    answer_delay=delays,
    copies_after=st.lists(st.integers(0, 30_000), max_size=3).map(tuple),
)
small_jitter = st.integers(0, 100)
clean = st.tuples(small_jitter, small_jitter).map(
    lambda jitter: Passage(request_delay=jitter[0], answer_delay=jitter[1])
)
clean_polls = st.lists(clean, min_size=CLEAN_POLLS, max_size=CLEAN_POLLS)
obediences = st.sampled_from(Obedience)


# Longer than any delay and interval. A delayed message is a fault until it arrives.
SETTLED = [Passage(request_lost=True)] * 61


@given(st.integers(1, 30), obediences, st.lists(faulty, max_size=12))
def test_it_converges_after_the_last_fault(
    interval: int, obedience: Obedience, faults: list[Passage]
) -> None:
    """8628-3.5-b: an honest client is not trapped in a growing interval."""
    passages = [*faults, *SETTLED, *[Passage()] * CLEAN_POLLS]
    simulation = Simulation(interval, obedience, passages)
    simulation.run()
    answers = [answer.slow_down for answer in simulation.received][-CLEAN_POLLS:]
    assert answers[STEPS_TO_CONVERGE:] == [0] * (CLEAN_POLLS - STEPS_TO_CONVERGE)


@given(st.integers(1, 30), obediences, st.lists(faulty, max_size=12), clean_polls)
def test_it_converges_while_the_network_jitters(
    interval: int, obedience: Obedience, faults: list[Passage], rest: list[Passage]
) -> None:
    """A device whose interval is just within the allowance may get one more slow_down later."""
    simulation = Simulation(interval, obedience, [*faults, *SETTLED, *rest])
    simulation.run()
    answers = [answer.slow_down for answer in simulation.received][-CLEAN_POLLS:]
    assert sum(interval > 0 for interval in answers) <= STEPS_TO_CONVERGE + 1
    assert simulation.in_force <= simulation.device_interval + SLOW_DOWN_S


@given(st.integers(1, 30), obediences, st.lists(faulty, max_size=12))
def test_it_converges_even_while_delayed_polls_still_arrive(
    interval: int, obedience: Obedience, faults: list[Passage]
) -> None:
    """The last fault is the last delayed message."""
    passages = [*faults, *[Passage()] * CLEAN_POLLS * 6]
    simulation = Simulation(interval, obedience, passages)
    simulation.run()
    answers = [answer.slow_down for answer in simulation.received][-CLEAN_POLLS:]
    assert answers == [0] * CLEAN_POLLS


@given(st.integers(1, 30), obediences, st.lists(st.booleans(), min_size=1, max_size=40))
def test_lost_answers_alone_slow_nobody_down(
    interval: int, obedience: Obedience, lost: list[bool]
) -> None:
    passages = [Passage(answer_lost=each) for each in lost]
    simulation = Simulation(interval, obedience, passages)
    simulation.run()
    assert [answer.slow_down for answer in simulation.received] == [0] * lost.count(False)


@given(obediences, st.integers(0, 40), st.integers(0, 6))
def test_one_hasty_poll_costs_five_seconds_however_many_answers_are_lost(
    obedience: Obedience, lost: int, copies: int
) -> None:
    """A server that always added 5 s to its own interval would be at its cap of 60 s by then."""
    hasty = Passage(answer_lost=True, copies_after=(500,) * copies)
    passages = [hasty, *[Passage(answer_lost=True)] * lost, *[Passage()] * CLEAN_POLLS]
    simulation = Simulation(5, obedience, passages)
    simulation.run()
    answers = [answer.slow_down for answer in simulation.received]
    assert answers == ([10] if copies else [0]) + [0] * (CLEAN_POLLS - 1)
    assert simulation.device_interval == (10 if copies else 5)


@pytest.mark.parametrize("obedience", Obedience)
def test_a_poll_that_arrives_twice_costs_five_seconds_at_most(obedience: Obedience) -> None:
    """The new interval is at most 5 s longer than the device's own."""
    doubled = Passage(copies_after=(0,))
    passages = [Passage(), doubled, *[Passage()] * CLEAN_POLLS]
    simulation = Simulation(5, obedience, passages)
    simulation.run()
    assert simulation.highest == 10
    assert [answer.slow_down for answer in simulation.received][3:] == [0] * CLEAN_POLLS


@given(st.integers(1, 30), st.lists(faulty, min_size=1, max_size=12), clean_polls)
def test_what_it_waits_in_the_end_is_bounded_by_what_the_network_did(
    interval: int, faults: list[Passage], rest: list[Passage]
) -> None:
    """While there are faults, each poll that arrives may add 5 s. After them, three polls may."""
    simulation = Simulation(interval, Obedience.ADDS_FIVE, [*faults, *rest])
    simulation.run()
    arrivals = sum(1 + len(each.copies_after) for each in faults if not each.request_lost)
    steps = arrivals + STEPS_TO_CONVERGE + 1
    assert simulation.device_interval <= interval + SLOW_DOWN_S * steps
