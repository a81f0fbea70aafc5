"""When the devices of a fleet begin: pure functions from a device's rank to a time.

Each pattern is the inverse of a distribution: rank 0 is the first device, rank 1 the last.
"""

import math
import random
from collections.abc import Callable
from statistics import NormalDist
from typing import Final

import msgspec

STARTS_PER_S = 500.0
"""How fast a steady fleet begins, unless it is told otherwise: starts should not be what it tests.
"""

POWER_CUT_S = 1.0
"""Within which time all devices begin when the power comes back."""

_EVENING = NormalDist(mu=0.5, sigma=0.16)
_HALF_LIFE = 0.15
"""Of the rush of a launch day, as a part of the run."""


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """A pattern. `moment(rank, devices, seconds)`: when a device begins, in s.

    `comes_again`: whether a device that is done begins again, so that the fleet keeps its size.
    """

    name: str
    help: str
    comes_again: bool
    moment: Callable[[float, int, float], float]


def _steady(rank: float, devices: int, seconds: float) -> float:
    return rank * min(devices / STARTS_PER_S, seconds / 2)


def _evening(rank: float, _devices: int, seconds: float) -> float:
    return min(1.0, max(0.0, _EVENING.inv_cdf(min(max(rank, 1e-9), 1 - 1e-9)))) * seconds


def _power_cut(rank: float, _devices: int, seconds: float) -> float:
    return rank * min(POWER_CUT_S, seconds)


def _launch_day(rank: float, _devices: int, seconds: float) -> float:
    """Let half of those who are left come in each half-life, cut off at the end of the run."""
    within = 1 - 0.5 ** (1 / _HALF_LIFE)
    return -math.log2(1 - rank * within) * _HALF_LIFE * seconds


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


def moments(
    arrival: Arrival, devices: int, seconds: float, chance: random.Random, share: slice
) -> list[float]:
    """Return when the devices of a share begin, in s from the start of the run.

    Devices are spread evenly over the ranks, with a random part, so that two processes do not
    begin in step. `share`: of all `devices`, these.
    """
    return [
        arrival.moment((number + chance.random()) / devices, devices, seconds)
        for number in range(devices)[share]
    ]
