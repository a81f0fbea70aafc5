"""The hosts of a fleet, and its proxies: how many, and what each has to hold."""

import math

from deviceflow.capacity import work
from deviceflow.capacity.costs import Costs
from deviceflow.capacity.fleet import Fleet
from deviceflow.capacity.load import BROWSER_CONNECTIONS, Load
from deviceflow.capacity.parts import Cores, Proxies, Server

SPARE_FILES = 256
DEFAULT_SLOTS = 1 << 20
LINGER_S = 75.0
"""How long nginx keeps the idle connection of a browser."""


def hosts_needed(fleet: Fleet, loads: tuple[Load, ...], costs: Costs, beside: float) -> int:
    """Return the hosts that carry both loads, with `beside` cores of work for the proxies."""
    most = 1
    for load in loads:
        asleep = 1 - fleet.utilisation
        cores = work.request_work(fleet, load, costs) + beside
        cores += asleep * work.request_waking(fleet, load, costs)
        if cores <= _room(fleet, load, costs, hosts=1):
            continue
        # Two hosts have the most to do for the pace: with more of them, each tells less.
        room = max(0.05, _room(fleet, load, costs, hosts=2))
        most = max(most, 2, whole(cores / room))
    return most


def _room(fleet: Fleet, load: Load, costs: Costs, hosts: int) -> float:
    """Return the cores of a host that are left for requests."""
    asleep = 1 - fleet.utilisation
    busy = work.worker_share(load, costs) + asleep * work.decision_waking(load, costs)
    pace = min(1.0, work.pace_core(fleet, load, costs, hosts))
    return usable(fleet) - fleet.host_cores * busy - pace


def server_part(fleet: Fleet, loads: tuple[Load, ...], costs: Costs, needed: int) -> Server:
    """Return the hosts, of which `needed` carry the load."""
    hosts = needed + fleet.spare
    load = max(loads, key=lambda each: work.request_work(fleet, each, costs))
    at = costs.operations
    workers = hosts * fleet.host_cores
    cores = Cores(
        polls=(load.polls * work.poll_us(fleet, costs) + load.held_polls * at.held_poll.server_us)
        * work.US,
        starts=load.starts * at.start.server_us * work.US,
        pages=load.approvals * at.approval.server_us * work.US,
        passwords=load.passwords * at.password.server_us * work.US,
        redemptions=load.redemptions * at.redemption.server_us * work.US,
        refreshes=load.refreshes * at.refresh.server_us * work.US,
        decisions=workers * load.approvals * costs.workers.decision_us * work.US,
        pace=hosts * min(1.0, work.pace_core(fleet, load, costs, hosts)),
        idle=workers * costs.workers.idle_us * work.US,
        waking=workers * waking_share(fleet, load, costs, workers),
    )
    slots = pace_slots(max(each.live_grants for each in loads))
    connections = _worker_connections(fleet, loads, needed)
    memory = costs.memory
    heard = 0.0 if fleet.affinity else max(each.waiting for each in loads) * memory.heard
    return Server(
        hosts=hosts,
        needed=needed,
        cores_per_host=fleet.host_cores,
        cores=cores,
        memory=memory.supervisor
        + fleet.host_cores * (memory.worker + connections * memory.connection)
        + slots * memory.slot * (2 if hosts > 1 else 1)
        + (heard if hosts > 1 else 0.0),
        connections=connections,
        files=connections + SPARE_FILES,
        pace_slots=slots,
    )


def waking_share(fleet: Fleet, load: Load, costs: Costs, workers: int) -> float:
    """Return the part of its core that one of `workers` spends on waking up."""
    return work.spent_waking(
        work.request_work(fleet, load, costs) / workers + work.worker_share(load, costs),
        work.request_waking(fleet, load, costs) / workers + work.decision_waking(load, costs),
    )


def pace_slots(live_grants: float) -> int:
    """Return `device.pace_slots`: the default, or as many powers of two as there are grants."""
    return max(DEFAULT_SLOTS, 1 << math.ceil(math.log2(max(1.0, live_grants))))


def _worker_connections(fleet: Fleet, loads: tuple[Load, ...], needed: int) -> float:
    """Return the connections of a worker: held polls, or those of devices if there is no proxy."""
    workers = needed * fleet.host_cores
    if fleet.tls == "none":
        return max(_device_connections(fleet, load) for load in loads) / workers
    return max(load.held for load in loads) / workers


def _device_connections(fleet: Fleet, load: Load) -> float:
    """Return the connections that devices and browsers have open at one moment."""
    browsers = load.approvals * BROWSER_CONNECTIONS * LINGER_S
    return fleet.kept * load.waiting + (1 - fleet.kept) * load.held + browsers


def proxies_part(fleet: Fleet, loads: tuple[Load, ...], costs: Costs, needed: int) -> Proxies:
    """Return the proxies, of which `needed` carry the load."""
    cores, tls = max(work.proxy_cores(fleet, load, costs) for load in loads)
    devices = max(_device_connections(fleet, load) for load in loads)
    held = max(load.held for load in loads)
    connections = (devices + held) / needed
    return Proxies(
        hosts=needed + fleet.spare,
        needed=needed,
        cores=cores,
        tls=tls,
        connections=connections,
        files=connections + SPARE_FILES,
        memory=connections * costs.proxy.connection_bytes,
    )


def usable(fleet: Fleet) -> float:
    """Return the cores of a host that may be busy at the peak."""
    return fleet.host_cores * fleet.utilisation


def whole(value: float) -> int:
    """Round up to a whole number of servers, at least one."""
    return max(1, math.ceil(value - 1e-9))
