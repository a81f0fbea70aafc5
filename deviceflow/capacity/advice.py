"""Advice: the settings that a fleet needs, and what more hosts do not solve."""

import math

from deviceflow.capacity import work
from deviceflow.capacity.costs import Costs
from deviceflow.capacity.fleet import Fleet
from deviceflow.capacity.hosts import DEFAULT_SLOTS
from deviceflow.capacity.load import Load
from deviceflow.capacity.parts import Proxies, Server, Store
from deviceflow.capacity.store import STORE_FULL

LOCAL_PORTS = 28_000
"""Ports of a proxy for each address of a host: held polls take one each."""

MOST_SLOTS = 1 << 28
"""The greatest `device.pace_slots`."""


def settings_for(
    fleet: Fleet, loads: tuple[Load, ...], server: Server, proxies: Proxies | None
) -> dict[str, int]:
    """Return the settings whose defaults are too small for this fleet, by their paths."""
    live = max(load.live_grants for load in loads)
    in_ten_minutes = max(load.starts for load in loads) * 600
    held = max(load.held for load in loads) / (server.needed * server.cores_per_host)
    wanted = {
        "device.pace_slots": (server.pace_slots, DEFAULT_SLOTS),
        "device.max_held": (_rounded_up(1.5 * held), 20_000),
        "limits.live_grants": (_rounded_up(1.5 * live), 1_000_000),
        "limits.starts": (_rounded_up(1.5 * in_ten_minutes), 1_000_000),
        "LimitNOFILE": (_rounded_up(1.5 * server.files), 1_024),
    }
    if proxies:
        per_worker = proxies.connections / fleet.host_cores
        wanted["worker_connections"] = (_rounded_up(1.5 * per_worker), 50_000)
        wanted["worker_rlimit_nofile"] = (_rounded_up(3 * per_worker), 100_000)
    return {name: value for name, (value, default) in wanted.items() if value > default}


def _rounded_up(value: float) -> int:
    """Round up to two digits."""
    step: int = 10 ** max(0, len(str(math.ceil(value))) - 2)
    return math.ceil(value / step) * step


def warnings_for(
    fleet: Fleet,
    loads: tuple[Load, ...],
    costs: Costs,
    parts: tuple[Server, Proxies | None, Store],
) -> list[str]:
    """Return what an operator should know of this plan, a sentence or two each."""
    server, proxies, store = parts
    found: list[str] = []
    pace = max(work.pace_core(fleet, load, costs, server.hosts) for load in loads)
    if pace > fleet.utilisation:
        found.append(
            f"deviceflow-pace would need {pace:.1f} cores of each host, and has one. Let the proxy"
            " send a device always to the same host (affinity)."
        )
    busy = max(work.worker_share(load, costs) for load in loads)
    if busy > fleet.utilisation / 2:
        found.append(
            f"Each worker spends {busy:.0%} of its core on the decisions of all others. Two"
            " installations with half of the fleet each would be better."
        )
    if store.largest_key > fleet.store_gb * 1e9 * STORE_FULL:
        found.append(
            f"The accounts are one key of {store.largest_key / 1e9:.0f} GB, which a Cluster keeps"
            " on one server. Give that server the memory, or run several installations."
        )
    if proxies:
        ports = max(load.held for load in loads) / proxies.needed
        if ports > LOCAL_PORTS * server.needed:
            found.append(
                f"{ports:,.0f} held polls of one proxy are more than its {LOCAL_PORTS:,} ports to"
                " each host. Give the hosts more addresses, or hold for a shorter time."
            )
    if server.pace_slots > MOST_SLOTS:
        found.append("More grants are live than device.pace_slots can be (2^28).")
    return found
