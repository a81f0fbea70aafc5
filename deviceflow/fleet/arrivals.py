"""When the devices of a fleet begin: pure functions from a device's rank to a time.

Each pattern is the inverse of a distribution: rank 0 is the first device, rank 1 the last.
"""

import math
import random
from collections.abc import Callable
from statistics import NormalDist
from typing import Final

import msgspec

from deviceflow.fleet.result import Scenario

STARTS_PER_S = 200.0
"""How many devices of a steady fleet begin in a second, unless `ramp_s` says otherwise.

They are few, so that a run is not mainly a test of starts.
"""

POWER_CUT_S = 1.0
"""How long it takes until all devices have begun, once the power is back."""

_EVENING = NormalDist(mu=0.5, sigma=0.16)
_SMALLEST = 1e-9
_HALF_LIFE = 0.15
"""The half-life of the rush on a launch day, as a part of the run."""


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """A pattern. `moment(rank, scenario)`: when a device begins, in s.

    `comes_again`: whether a device that is done begins again, so that the fleet keeps its size.
    """

    name: str
    help: str
    comes_again: bool
    moment: Callable[[float, Scenario], float]


def _steady(rank: float, scenario: Scenario) -> float:
    ramp_s = scenario.ramp_s
    if ramp_s is None:
        ramp_s = min(scenario.devices / STARTS_PER_S, scenario.seconds / 2)
    return rank * min(ramp_s, scenario.seconds)


def _evening(rank: float, scenario: Scenario) -> float:
    place = _EVENING.inv_cdf(min(max(rank, _SMALLEST), 1 - _SMALLEST))
    return min(1.0, max(0.0, place)) * scenario.seconds


def _power_cut(rank: float, scenario: Scenario) -> float:
    return rank * min(POWER_CUT_S, scenario.seconds)


def _launch_day(rank: float, scenario: Scenario) -> float:
    """In each half-life, half of the remaining devices begin. All have by the end of the run."""
    within = 1 - 0.5 ** (1 / _HALF_LIFE)
    return -math.log2(1 - rank * within) * _HALF_LIFE * scenario.seconds


ARRIVALS: Final = {
    arrival.name: arrival
    for arrival in (
        Arrival(
            name="steady",
            help="a fleet that keeps its size: devices that are done begin again",
            comes_again=True,
            moment=_steady,
        ),
        Arrival(
            name="evening",
            help="a peak in the middle of the run",
            comes_again=False,
            moment=_evening,
        ),
        Arrival(
            name="power-cut",
            help="all devices within a second",
            comes_again=False,
            moment=_power_cut,
        ),
        Arrival(
            name="launch-day",
            help="a rush at once that fades away",
            comes_again=False,
            moment=_launch_day,
        ),
    )
}
"""All patterns by name."""


def moments(scenario: Scenario, chance: random.Random, share: slice) -> list[float]:
    """Return when the devices of a share begin, in s from the start of the run.

    Devices are spread evenly over the ranks, with a random part, so that two processes do not
    begin in step. `share`: which of all devices.
    """
    devices, moment = scenario.devices, ARRIVALS[scenario.arrival].moment
    return [
        moment((number + chance.random()) / devices, scenario) for number in range(devices)[share]
    ]
