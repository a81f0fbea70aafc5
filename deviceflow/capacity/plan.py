"""What carries a fleet: hosts, proxies, a store and a network, at the peak and after a power cut.

Each part is sized for the greater of the two loads.
"""

from deviceflow.capacity import work
from deviceflow.capacity.advice import settings_for, warnings_for
from deviceflow.capacity.costs import Costs
from deviceflow.capacity.fleet import Fleet
from deviceflow.capacity.hosts import hosts_needed, proxies_part, server_part, usable, whole
from deviceflow.capacity.load import peak, power_cut
from deviceflow.capacity.parts import Network, Plan
from deviceflow.capacity.store import store_part


def plan(fleet: Fleet, costs: Costs) -> Plan:
    """Return what carries `fleet`. May raise CapacityError."""
    fleet.check()
    costs = costs.mixed()
    loads = (peak(fleet), power_cut(fleet))
    proxy_work = max(work.proxy_cores(fleet, load, costs)[0] for load in loads)
    is_shared = fleet.proxies == "shared" and fleet.tls != "none"
    needed = hosts_needed(fleet, loads, costs, proxy_work if is_shared else 0.0)
    server = server_part(fleet, loads, costs, needed)
    proxies = None
    if fleet.tls != "none":
        their_hosts = needed if is_shared else whole(proxy_work / usable(fleet))
        proxies = proxies_part(fleet, loads, costs, their_hosts)
    store = store_part(fleet, loads, costs, server)
    network = max(work.network(fleet, load, costs) for load in loads)
    edge = proxies.needed if proxies else needed
    return Plan(
        fleet=fleet,
        peak=loads[0],
        power_cut=loads[1],
        server=server,
        proxies=proxies,
        store=store,
        network=Network(total=network, per_host=network / edge),
        settings=settings_for(fleet, loads, server, proxies),
        warnings=warnings_for(fleet, loads, costs, (server, proxies, store)),
    )
