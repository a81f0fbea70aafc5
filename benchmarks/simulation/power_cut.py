"""A fleet that comes back after a power cut, and the servers that it meets (`workers.py`).

What devices do is in `Habits`.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulation.calendar import Calendar, Indices, Times
from benchmarks.simulation.workers import (
    LIFETIME_S,
    REFUSAL_S,
    RETRY_AFTER_S,
    Flags,
    Pace,
    Workers,
    doubled,
)
from deviceflow.core.load_interval import SLOW_DOWN_S


class Costs(NamedTuple):
    """Server CPU of a request, in s of one core."""

    start: float = 551e-6
    poll: float = 54e-6
    redemption: float = 550e-6
    refusal: float = REFUSAL_S


class Habits(NamedTuple):
    """What devices and people do.

    `back_within_s`: all devices come back evenly in this time. `timeout_s`: when a device gives a
    request up. `backs_off`: the part of the devices that double their pause at each time-out, as
    RFC 8628 3.5 wants; the others wait for their interval. `network_s`: the longest time that a
    request and its answer are on their way. People approve after a log-normal time.
    """

    back_within_s: float = 30.0
    timeout_s: float = 10.0
    backs_off: float = 0.5
    network_s: float = 0.1
    approve_median_s: float = 120.0
    approve_sigma: float = 0.8


class Next(IntEnum):
    """What the next event of a device is."""

    START = 0
    POLL = 1
    HAS_CODE = 2
    REFUSED = 3
    PENDING = 4
    TOKENS = 5
    EXPIRED = 6
    TIMED_OUT = 7
    DONE = 8


class Second(NamedTuple):
    """What happened in a second. `p99_s`: of polls; one without an answer counts its time-out."""

    at: float
    answered: int
    timed_out: int
    p50_s: float
    p99_s: float
    busy: float
    interval_s: float
    pending: int
    done: int


@dataclass
class PowerCut:
    """The run: `devices` come back at once, and `cores` of servers answer them.

    `tick_s`: how finely the order of events is kept; a second is a whole number of ticks.
    """

    devices: int
    cores: float
    pace: Pace
    costs: Costs = field(default_factory=Costs)
    habits: Habits = field(default_factory=Habits)
    seed: int = 1
    tick_s: float = 0.02

    seconds: list[Second] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._chance = np.random.default_rng(self.seed)
        self._calendar = Calendar(self.devices, self.tick_s)
        self._workers = Workers(self.cores, self.pace)
        self._next: NDArray[np.int8] = np.full(self.devices, Next.START, dtype=np.int8)
        self._sent: Times = np.zeros(self.devices)
        self._interval: Times = np.full(self.devices, float(self.pace.shortest))
        self._pause: Times = np.zeros(self.devices)
        self._polled: Flags = np.zeros(self.devices, dtype=np.bool_)
        self._has_code: Flags = np.zeros(self.devices, dtype=np.bool_)
        self._expires: Times = np.zeros(self.devices)
        self._approved: Times = np.zeros(self.devices)
        self._share: Times = self._chance.random(self.devices)
        self._backs_off: Flags = self._chance.random(self.devices) < self.habits.backs_off
        back = self._chance.random(self.devices) * self.habits.back_within_s
        self._calendar.plan(np.arange(self.devices), back)
        self._latencies: list[Times] = []
        self._answered = self._timed_out = 0

    def run(self, seconds: int) -> list[Second]:
        """Let the time pass, and return what happened in each second."""
        per_second = round(1 / self.tick_s)
        for tick, due in enumerate(self._calendar.run(seconds), start=1):
            self._take(due)
            if not tick % per_second:
                self._end_second(tick / per_second)
        return self.seconds

    def _take(self, due: Indices) -> None:
        """Work on the events of a tick."""
        kinds = self._next[due]
        self._after_timeout(due[kinds == Next.TIMED_OUT])
        self._after_code(due[kinds == Next.HAS_CODE])
        self._after_refusal(due[kinds == Next.REFUSED])
        self._after_poll(due[kinds == Next.PENDING])
        self._after_end(due[kinds == Next.EXPIRED])
        tokens = due[kinds == Next.TOKENS]
        self._note_answers(tokens)
        self._next[tokens] = Next.DONE
        self._has_code[tokens] = False
        self._send(due[kinds <= Next.POLL])

    def _send(self, devices: Indices) -> None:
        """Let requests arrive at the servers."""
        if not len(devices):
            return
        at = self._calendar.at[devices]
        is_poll = self._next[devices] == Next.POLL
        outcome = np.full(len(devices), Next.PENDING, dtype=np.int8)
        outcome[is_poll & (self._approved[devices] <= at)] = Next.TOKENS
        outcome[is_poll & (self._expires[devices] <= at)] = Next.EXPIRED
        outcome[~is_poll] = Next.REFUSED if self._workers.refuses_starts(at[0]) else Next.HAS_CODE
        cost = np.full(len(devices), self.costs.poll)
        cost[outcome == Next.TOKENS] = self.costs.redemption
        cost[outcome == Next.HAS_CODE] = self.costs.start
        cost[outcome == Next.REFUSED] = self.costs.refusal
        done = self._workers.serve(at, cost, polls=is_poll)
        self._sent[devices] = at
        is_late = done - at > self.habits.timeout_s
        self._next[devices] = np.where(is_late, np.int8(Next.TIMED_OUT), outcome)
        heard = np.where(is_late, at + self.habits.timeout_s, done)
        self._calendar.plan(devices, heard)

    def _after_code(self, devices: Indices) -> None:
        if not len(devices):
            return
        now = self._calendar.at[devices]
        self._interval[devices] = self._workers.first_intervals(len(devices), self._chance)
        self._has_code[devices] = True
        self._polled[devices] = False
        self._expires[devices] = now + LIFETIME_S
        self._approved[devices] = now + self._chance.lognormal(
            np.log(self.habits.approve_median_s), self.habits.approve_sigma, len(devices)
        )
        self._poll_after(devices, self._interval[devices])

    def _after_refusal(self, devices: Indices) -> None:
        """Try again after the Retry-After."""
        self._start_after(devices, self._chance.uniform(*RETRY_AFTER_S, len(devices)))

    def _after_poll(self, devices: Indices) -> None:
        if not len(devices):
            return
        self._note_answers(devices)
        # The first poll of a grant has no slow_down.
        slowed = self._workers.slows(self._interval[devices], self._share[devices])
        self._interval[devices] += SLOW_DOWN_S * (slowed & self._polled[devices])
        self._polled[devices] = True
        self._pause[devices] = 0.0
        self._poll_after(devices, self._interval[devices])

    def _after_end(self, devices: Indices) -> None:
        """Start again with a new code, some seconds after the old one has expired."""
        self._note_answers(devices)
        self._has_code[devices] = False
        self._start_after(devices, self._chance.uniform(0, 10, len(devices)))

    def _after_timeout(self, devices: Indices) -> None:
        if not len(devices):
            return
        is_poll = self._has_code[devices]
        self._timed_out += int(np.count_nonzero(is_poll))
        self._latencies.append(np.full(np.count_nonzero(is_poll), self.habits.timeout_s))
        self._pause[devices] = doubled(self._pause[devices], self._interval[devices])
        spread = self._chance.uniform(1, 1.5, len(devices))
        pause = np.where(
            self._backs_off[devices], self._pause[devices] * spread, self._interval[devices]
        )
        self._poll_after(devices[is_poll], pause[is_poll])
        self._start_after(devices[~is_poll], pause[~is_poll])

    def _poll_after(self, devices: Indices, pause: Times) -> None:
        self._plan(devices, Next.POLL, pause)

    def _start_after(self, devices: Indices, pause: Times) -> None:
        self._plan(devices, Next.START, pause)

    def _plan(self, devices: Indices, what: Next, pause: Times) -> None:
        self._next[devices] = what
        network = self._chance.random(len(devices)) * self.habits.network_s
        self._calendar.plan(devices, self._calendar.at[devices] + pause + network)

    def _note_answers(self, devices: Indices) -> None:
        self._answered += len(devices)
        self._latencies.append(self._calendar.at[devices] - self._sent[devices])

    def _end_second(self, at: float) -> None:
        busy = self._workers.end_second(at)
        latencies = np.concatenate(self._latencies) if self._latencies else np.empty(0)
        p50, p99 = np.percentile(latencies, (50, 99)) if len(latencies) else (0.0, 0.0)
        self.seconds.append(
            Second(
                at=at,
                answered=self._answered,
                timed_out=self._timed_out,
                p50_s=float(p50),
                p99_s=float(p99),
                busy=busy,
                interval_s=self._workers.interval_s,
                pending=int(np.count_nonzero(self._has_code)),
                done=int(np.count_nonzero(self._next == Next.DONE)),
            )
        )
        self._latencies.clear()
        self._answered = self._timed_out = 0
