"""The store of a fleet: what it holds, and what it does in a second."""

from deviceflow.capacity import work
from deviceflow.capacity.costs import Costs
from deviceflow.capacity.fleet import Fleet
from deviceflow.capacity.hosts import whole
from deviceflow.capacity.load import Load, average_logins
from deviceflow.capacity.parts import Server, Store

STORE_FULL = 0.8
"""`limits.store_memory_percent`: beyond it, the store gets no new grants."""

DECISIONS_KEPT_S = 25 * 3_600.0
SESSION_S = 28_800.0
FEWEST_PRIMARIES = 3
"""Of a Cluster."""

SMALLEST_BYTES = 100e6
"""The least `maxmemory` that is worth setting."""


def store_part(fleet: Fleet, loads: tuple[Load, ...], costs: Costs, server: Server) -> Store:
    """Return the store. It holds the grants of the greater load, and everything that is kept."""
    memory = costs.memory
    most = max(loads, key=lambda each: each.live_grants)
    approved = most.approvals / most.starts if most.starts else 0.0
    grants = most.live_grants * (
        memory.grant + memory.user_code + approved * (memory.approved_grant - memory.grant)
    )
    signed_in = fleet.devices * fleet.signed_in
    families = signed_in * (memory.family + memory.listed_device)
    accounts = fleet.devices / fleet.devices_per_person * memory.account
    logins = average_logins(fleet)
    tokens = signed_in * fleet.access_token / fleet.refresh * memory.opaque_token
    rest = logins * (DECISIONS_KEPT_S * memory.logged_decision + SESSION_S * memory.session)
    rest += tokens if fleet.opaque else 0.0
    total = grants + families + accounts + rest
    workers = server.hosts * server.cores_per_host
    cores = max(work.store_us(load, costs, workers) for load in loads) * work.US
    by_memory = total / STORE_FULL / (fleet.store_gb * 1e9)
    primaries = whole(max(cores / fleet.utilisation, by_memory))
    if primaries > 1:
        primaries = max(primaries, FEWEST_PRIMARIES)
    return Store(
        memory=total,
        grants=grants,
        families=families,
        accounts=accounts,
        rest=rest,
        commands=max(work.store_commands(load, costs) for load in loads)
        + workers * costs.workers.idle_store_commands,
        cores=cores,
        network=max(work.store_bits(fleet, load, costs, server.hosts) for load in loads),
        primaries=primaries,
        maxmemory=max(total / STORE_FULL / primaries, SMALLEST_BYTES),
        largest_key=accounts,
    )
