"""All hosts are away for a while, or their store is, and then the fleet comes back to them.

Some devices are signed in and refresh now and then. The others show a code that no person enters,
and poll. One entry of the arrays is a cohort: `weight` devices that do the same at the same moment.
So 10^8 devices are 10^5 cohorts. A queue in front of as many cores less is as long for each device.

- While the hosts are away, every request fails at once. While only the store is away, polls are
  answered, and refreshes and starts get 503.
- A device that failed tries again: `backs_off` of them after twice as long each time, up to a
  minute, the others after their interval. A start that was refused obeys its Retry-After.
- A code that has ended leads to a start. Starts that wait for more than a second are refused.
- The interval follows the load by the rules of the server (`deviceflow/core/load_interval.py`).
"""

from enum import IntEnum
from typing import Literal, NamedTuple

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

TICK_S = 0.05
NETWORK_S = 0.1
TIMEOUT_S = 10.0
Away = Literal["hosts", "store"]


class Work(NamedTuple):
    """Server CPU of a request, in s of one core."""

    refresh: float
    poll: float
    start: float
    refusal: float = REFUSAL_S


class Fleet(NamedTuple):
    """The devices, and the cores that answer them. Times in s."""

    devices: float
    cores: float
    waiting: float = 0.1
    refresh_s: float = 3_600.0
    backs_off: float = 0.5
    cohorts: int = 100_000


class Fault(NamedTuple):
    """What is away, from when on, and for how long, in s."""

    away: Away
    at: float = 60.0
    lasts: float = 300.0

    @property
    def ends(self) -> float:
        """When it is back."""
        return self.at + self.lasts


class Step(IntEnum):
    """The next event of a cohort: a request, or what it hears."""

    REFRESH = 0
    POLL = 1
    START = 2
    REFRESHED = 3
    PENDING = 4
    HAS_CODE = 5
    FAILED = 6
    REFUSED = 7
    EXPIRED = 8


class Moment(NamedTuple):
    """What happened in a second, in devices. `late`: requests whose device had given up.

    `owed`: devices whose refresh or start has failed, and that have had none since.
    """

    at: float
    answered: float
    late: float
    p99_s: float
    busy: float
    interval_s: float
    owed: float


class Outage:
    """A run. The same seed gives the same figures."""

    def __init__(self, fleet: Fleet, work: Work, fault: Fault, pace: Pace, seed: int = 1) -> None:
        count = int(min(fleet.cohorts, fleet.devices))
        self._fleet, self._work, self._fault, self._pace = fleet, work, fault, pace
        self._chance = np.random.default_rng(seed)
        self._weight = fleet.devices / count
        self._calendar = Calendar(count, TICK_S)
        self._workers = Workers(fleet.cores, pace, self._weight)
        self._step: NDArray[np.int8] = np.zeros(count, dtype=np.int8)
        self._request: NDArray[np.int8] = np.zeros(count, dtype=np.int8)
        self._sent: Times = np.zeros(count)
        self._interval: Times = np.full(count, float(pace.shortest))
        self._pause: Times = np.zeros(count)
        self._expires: Times = self._chance.random(count) * LIFETIME_S
        self._share: Times = self._chance.random(count)
        self._backs_off: Flags = self._chance.random(count) < fleet.backs_off
        self._is_owed: Flags = np.zeros(count, dtype=np.bool_)
        self._latencies: list[Times] = []
        self._answered = self._late = 0
        self._begin(count)

    def _begin(self, count: int) -> None:
        """Spread the devices over what they do regularly."""
        all_devices = np.arange(count)
        waiting, others = np.split(all_devices, [round(count * self._fleet.waiting)])
        spread = self._chance.random(count)
        self._step[waiting] = Step.POLL
        self._calendar.plan(waiting, spread[waiting] * self._pace.shortest)
        self._calendar.plan(others, spread[others] * self._fleet.refresh_s)

    def run(self, seconds: int) -> list[Moment]:
        """Let the time pass, and return what happened in each second."""
        moments = []
        per_second = round(1 / TICK_S)
        for tick, due in enumerate(self._calendar.run(seconds), start=1):
            self._take(due)
            if not tick % per_second:
                moments.append(self._end_second(tick / per_second))
        return moments

    def _take(self, due: Indices) -> None:
        steps = self._step[due]
        self._after_refresh(due[steps == Step.REFRESHED])
        self._after_poll(due[steps == Step.PENDING])
        self._after_start(due[steps == Step.HAS_CODE])
        self._after_failure(due[steps == Step.FAILED])
        self._after_refusal(due[steps == Step.REFUSED])
        self._after_end(due[steps == Step.EXPIRED])
        self._send(due[steps <= Step.START])

    def _send(self, devices: Indices) -> None:
        """Let requests arrive at the hosts, if they are there."""
        at = self._calendar.at[devices]
        self._request[devices] = self._step[devices]
        self._sent[devices] = at
        is_away = (at >= self._fault.at) & (at < self._fault.ends)
        if self._fault.away == "hosts":
            lost = devices[is_away]
            self._step[lost] = Step.FAILED
            self._calendar.plan(lost, at[is_away] + NETWORK_S)
            devices, at = devices[~is_away], at[~is_away]
            is_away = np.zeros(len(devices), dtype=np.bool_)
        if len(devices):
            self._serve(devices, at, is_away)

    def _serve(self, devices: Indices, at: Times, lacks_store: Flags) -> None:
        """Let the queue answer. A device that waits too long gives up; its work is done anyway."""
        request = self._request[devices]
        outcome, cost = self._answers(devices, at, lacks_store)
        done = self._workers.serve(at, cost, polls=request == Step.POLL)
        is_late = done - at > TIMEOUT_S
        self._late += int(np.count_nonzero(is_late))
        self._step[devices] = np.where(is_late, np.int8(Step.FAILED), outcome)
        self._calendar.plan(devices, np.where(is_late, at + TIMEOUT_S, done))

    def _answers(
        self, devices: Indices, at: Times, lacks_store: Flags
    ) -> tuple[NDArray[np.int8], Times]:
        """Return what each request is answered, and what that costs."""
        request = self._request[devices]
        outcome = np.full(len(devices), Step.REFRESHED, dtype=np.int8)
        cost = np.full(len(devices), self._work.refresh)
        is_poll, is_start = request == Step.POLL, request == Step.START
        outcome[is_poll] = Step.PENDING
        outcome[is_poll & (self._expires[devices] <= at)] = Step.EXPIRED
        cost[is_poll] = self._work.poll
        is_refused = is_start & (lacks_store | self._workers.refuses_starts(at[0]))
        outcome[is_start] = Step.HAS_CODE
        cost[is_start] = self._work.start
        is_failed = (request == Step.REFRESH) & lacks_store
        outcome[is_refused], outcome[is_failed] = Step.REFUSED, Step.FAILED
        cost[is_refused | is_failed] = self._work.refusal
        return outcome, cost

    def _after_refresh(self, devices: Indices) -> None:
        self._note(devices)
        self._is_owed[devices] = False
        self._pause[devices] = 0.0
        # Clients refresh some time before the end, and not all at the same.
        self._plan(devices, Step.REFRESH, self._fleet.refresh_s * self._random(devices, 0.9, 1.0))

    def _after_poll(self, devices: Indices) -> None:
        self._note(devices)
        self._pause[devices] = 0.0
        slowed = self._workers.slows(self._interval[devices], self._share[devices])
        self._interval[devices] += SLOW_DOWN_S * slowed
        self._plan(devices, Step.POLL, self._interval[devices])

    def _after_start(self, devices: Indices) -> None:
        self._note(devices)
        self._is_owed[devices] = False
        self._pause[devices] = 0.0
        self._interval[devices] = self._workers.first_intervals(len(devices), self._chance)
        self._expires[devices] = self._calendar.at[devices] + LIFETIME_S
        self._plan(devices, Step.POLL, self._interval[devices])

    def _after_failure(self, devices: Indices) -> None:
        """Try the same again, later."""
        request = self._request[devices]
        self._is_owed[devices] |= request != Step.POLL
        self._pause[devices] = doubled(self._pause[devices], self._interval[devices])
        slower = self._pause[devices] * self._random(devices, 1.0, 1.5)
        pause = np.where(self._backs_off[devices], slower, self._interval[devices])
        self._step[devices] = request
        self._calendar.plan(devices, self._calendar.at[devices] + pause)

    def _after_refusal(self, devices: Indices) -> None:
        """Start again after the Retry-After."""
        self._is_owed[devices] = True
        self._plan(devices, Step.START, self._random(devices, *RETRY_AFTER_S))

    def _after_end(self, devices: Indices) -> None:
        """Start again some seconds after the code has ended."""
        self._note(devices)
        self._plan(devices, Step.START, self._random(devices, 0, 10))

    def _plan(self, devices: Indices, step: Step, pause: Times) -> None:
        self._step[devices] = step
        network = self._random(devices, 0, NETWORK_S)
        self._calendar.plan(devices, self._calendar.at[devices] + pause + network)

    def _random(self, devices: Indices, low: float, high: float) -> Times:
        return self._chance.uniform(low, high, len(devices))

    def _note(self, devices: Indices) -> None:
        self._answered += len(devices)
        self._latencies.append(self._calendar.at[devices] - self._sent[devices])

    def _end_second(self, at: float) -> Moment:
        busy = self._workers.end_second(at)
        took = np.concatenate([*self._latencies, np.full(self._late, TIMEOUT_S)])
        moment = Moment(
            at=at,
            answered=self._answered * self._weight,
            late=self._late * self._weight,
            p99_s=float(np.percentile(took, 99)) if len(took) else 0.0,
            busy=busy,
            interval_s=self._workers.interval_s,
            owed=float(np.count_nonzero(self._is_owed)) * self._weight,
        )
        self._latencies.clear()
        self._answered = self._late = 0
        return moment


def recovered_s(moments: list[Moment], fault: Fault, devices: float) -> float | None:
    """Return how long after the fault all is well for good; None if it is not within the run.

    That is: the 99th percentile is under a second, nothing is late, and fewer than one of ten
    thousand devices are owed something.
    """
    for moment in reversed(moments):
        if moment.p99_s >= 1 or moment.late or moment.owed > devices / 10_000:
            after = moment.at - fault.ends
            return None if moment is moments[-1] else max(0.0, after)
    return 0.0
