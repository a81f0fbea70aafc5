"""The load of a fleet in a second: at the daily peak, and while it comes back from a power cut.

A login waits until a person approves, for a log-normal time, or until its code ends. So by Little's
law, as many devices wait as are started in a second, times the mean wait.
"""

import math
from statistics import NormalDist

import msgspec

from deviceflow.capacity.fleet import Fleet

DAY_S = 86_400.0
APPROVAL_SIGMA = 0.8
"""The spread of approval times: one of six takes more than 2.2 times the median."""

GRANT_OUTLIVES_S = 60.0
"""How long the key of a grant outlives it (`keyspace.grant`)."""

PAGES = 9.0
"""Requests of a person's browser for one approval, with the files of the pages."""

BROWSER_CONNECTIONS = 2.0


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """Events per second, and how many devices wait at one moment.

    `polls`: answered at once; `held_polls`: after `Fleet.hold`. `live_grants`: in the store.
    `connections`: new ones, each with a handshake. `held`: polls that are being held.
    """

    starts: float
    waiting: float
    live_grants: float
    polls: float
    held_polls: float
    held: float
    approvals: float
    passwords: float
    redemptions: float
    refreshes: float
    connections: float
    requests: float


def peak(fleet: Fleet) -> Load:
    """Return the load of the busiest minutes of a day."""
    logins = _logins(fleet) * fleet.peak_factor
    waiting = logins * mean_wait(fleet, fleet.lifetime)
    idle = max(0.0, fleet.waiting - waiting)
    refreshes = fleet.devices * fleet.signed_in / fleet.refresh
    return _load(fleet, logins, idle, waiting + idle, refreshes)


def power_cut(fleet: Fleet) -> Load:
    """Return the load of the peak with the devices that come back from a power cut then."""
    before = peak(fleet)
    back = fleet.devices * fleet.power_cut / fleet.power_cut_over
    more = back * fleet.power_cut_logins
    logins = _logins(fleet) * fleet.peak_factor
    idle = max(0.0, fleet.waiting - logins * mean_wait(fleet, fleet.lifetime))
    waiting = before.waiting + more * mean_wait(fleet, min(fleet.lifetime, fleet.power_cut_over))
    refreshes = before.refreshes + back * (1 - fleet.power_cut_logins) * fleet.signed_in
    return _load(fleet, logins + more, idle, waiting, refreshes)


def _logins(fleet: Fleet) -> float:
    """Return the logins that are started in a second, on average."""
    return fleet.devices * fleet.logins_per_day / DAY_S


def average_logins(fleet: Fleet) -> float:
    """Return the logins of a second that people finish, on average over a day."""
    return _logins(fleet) * (1 - fleet.abandoned)


def mean_wait(fleet: Fleet, until: float) -> float:
    """Return how long a device waits on average, if each gives up after `until` s."""
    finished = 1 - fleet.abandoned
    return finished * _mean_up_to(fleet.approval_s, until) + fleet.abandoned * until


def _mean_up_to(median: float, most: float) -> float:
    """Return the mean of min(T, most) for a log-normal T with this median."""
    bell = NormalDist()
    z = math.log(most / median) / APPROVAL_SIGMA
    mean = median * math.exp(APPROVAL_SIGMA**2 / 2)
    return mean * bell.cdf(z - APPROVAL_SIGMA) + most * (1 - bell.cdf(z))


def _load(fleet: Fleet, logins: float, idle: float, waiting: float, refreshes: float) -> Load:
    """Compute everything that follows. `idle`: devices whose code no person enters."""
    starts = logins + idle / fleet.lifetime
    all_polls = waiting / (fleet.interval + fleet.hold)
    is_held = fleet.hold > 0
    approvals = logins * (1 - fleet.abandoned)
    one_shot = (1 - fleet.kept) * (all_polls + starts + approvals) + fleet.kept * starts
    return Load(
        starts=starts,
        waiting=waiting,
        live_grants=starts * (fleet.lifetime + GRANT_OUTLIVES_S),
        polls=0.0 if is_held else all_polls,
        held_polls=all_polls if is_held else 0.0,
        held=all_polls * fleet.hold,
        approvals=approvals,
        passwords=approvals * fleet.passwords,
        redemptions=approvals,
        refreshes=refreshes,
        connections=one_shot + refreshes + approvals * BROWSER_CONNECTIONS,
        requests=all_polls + starts + approvals + refreshes + approvals * PAGES,
    )
