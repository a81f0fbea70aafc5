"""Work: the CPU time, commands and bytes that the load of a second costs.

Cores are CPU seconds per second. A proxy keeps its connections to workers, whatever devices do. So
behind one, each poll costs a worker what a poll over a kept connection costs.

A worker that has nothing to do sleeps, and to wake up costs more than a poll. Events come at random
moments, so the next one finds a worker asleep as often as it is idle. If it is busy for a part `b`
of its time, then b = work + (1 - b) * waking, where `waking` is what it would pay if it slept
before each event.
"""

from deviceflow.capacity.costs import Costs, Operation
from deviceflow.capacity.fleet import Fleet
from deviceflow.capacity.load import Load

US = 1e-6


def server_us(load: Load, costs: Costs) -> float:
    """Return the CPU time that requests of one second cost the workers, in us."""
    rates = _rates(load)
    return sum(rate * operation.server_us for rate, operation in _pairs(rates, costs))


def store_commands(load: Load, costs: Costs) -> float:
    """Return the commands that requests of one second send to the store."""
    return sum(rate * operation.store_commands for rate, operation in _pairs(_rates(load), costs))


def _rates(load: Load) -> dict[str, float]:
    """Return how often each operation happens in a second."""
    return {
        "poll": load.polls,
        "held_poll": load.held_polls,
        "start": load.starts,
        "approval": load.approvals,
        "password": load.passwords,
        "redemption": load.redemptions,
        "refresh": load.refreshes,
    }


def _pairs(rates: dict[str, float], costs: Costs) -> list[tuple[float, Operation]]:
    return [(rate, getattr(costs.operations, name)) for name, rate in rates.items()]


def poll_us(fleet: Fleet, costs: Costs) -> float:
    """Return what a poll costs a worker. A proxy keeps its connections, whatever devices do."""
    at, connecting = costs.operations, connecting_share(fleet)
    return (1 - connecting) * at.poll.server_us + connecting * at.poll_connecting.server_us


def connecting_share(fleet: Fleet) -> float:
    """Return the part of the polls that reach a worker over a connection of their own."""
    return 1 - fleet.kept if fleet.tls == "none" else 0.0


def worker_share(load: Load, costs: Costs) -> float:
    """Return how busy a worker is without a request: it hears of every decision."""
    return (load.approvals * costs.workers.decision_us + costs.workers.idle_us) * US


def spent_waking(work: float, waking: float) -> float:
    """Return the cores that a worker spends on waking up.

    `work`: the cores that it needs for all else. `waking`: what it would spend if it slept before
    each event.
    """
    return max(0.0, waking * (1 - work) / (1 + waking))


def request_waking(fleet: Fleet, load: Load, costs: Costs) -> float:
    """Return the cores that requests cost beside their work, if workers sleep before each event."""
    at = costs.operations
    more = connecting_share(fleet) * (at.poll_connecting.wakes - at.poll.wakes)
    wakes = sum(rate * operation.wakes for rate, operation in _pairs(_rates(load), costs))
    return (wakes + load.polls * more) * costs.workers.wake_us * US


def decision_waking(load: Load, costs: Costs) -> float:
    """Return the same for the decisions that each worker hears of."""
    return load.approvals * costs.workers.decision_wakes * costs.workers.wake_us * US


def pace_core(fleet: Fleet, load: Load, costs: Costs, hosts: int) -> float:
    """Return how busy the process of a host is that shares the pace. It has one core at most."""
    if hosts == 1:
        return 0.0
    told = load.starts + (0.0 if fleet.affinity else load.polls + load.held_polls)
    return told * (costs.workers.told_us / hosts + costs.workers.heard_us) * US


def request_work(fleet: Fleet, load: Load, costs: Costs) -> float:
    """Return the cores that requests need."""
    dearer = poll_us(fleet, costs) - costs.operations.poll.server_us
    return (server_us(load, costs) + load.polls * dearer) * US


def proxy_cores(fleet: Fleet, load: Load, costs: Costs) -> tuple[float, float]:
    """Return the cores of all proxies, and how many of them are for TLS."""
    if fleet.tls == "none":
        return 0.0, 0.0
    proxy = costs.proxy
    whole = proxy.full_us if fleet.tls == "full" else proxy.resumed_us
    connecting = max(0.0, proxy.connecting_us - proxy.plain_us)
    without_tls = load.requests * proxy.plain_us + load.connections * connecting
    records = load.requests * max(0.0, proxy.kept_us - proxy.plain_us)
    handshakes = load.connections * max(0.0, whole - proxy.kept_us - connecting)
    return (without_tls + records + handshakes) * US, (records + handshakes) * US


def store_us(load: Load, costs: Costs, workers: int) -> float:
    """Return the CPU time of the store, in us per second."""
    requests = sum(rate * operation.store_us for rate, operation in _pairs(_rates(load), costs))
    return requests + workers * costs.workers.idle_store_us


def store_bits(fleet: Fleet, load: Load, costs: Costs, hosts: int) -> float:
    """Return the bits between the store and all hosts, with what hosts tell each other."""
    requests = sum(rate * operation.store_bytes for rate, operation in _pairs(_rates(load), costs))
    told = load.starts + (0.0 if fleet.affinity else load.polls + load.held_polls)
    reports = told * costs.workers.report_bytes * (hosts if hosts > 1 else 0)
    return 8 * (requests + reports)


def network(fleet: Fleet, load: Load, costs: Costs) -> float:
    """Return the bits per second between devices and proxies, in both directions."""
    requests = sum(
        rate * operation.network_bytes for rate, operation in _pairs(_rates(load), costs)
    )
    handshake = {
        "full": costs.proxy.full_bytes,
        "resumed": costs.proxy.resumed_bytes,
        "none": 0.0,
    }[fleet.tls]
    return 8 * (requests + load.connections * handshake)
