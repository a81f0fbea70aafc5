"""The parts of a plan: hosts, proxies, a store, a network, and what an operator has to set."""

import msgspec

from deviceflow.capacity.fleet import Fleet
from deviceflow.capacity.load import Load


class Cores(msgspec.Struct, frozen=True, kw_only=True):
    """The cores that the workers of all hosts use together, by purpose."""

    polls: float
    starts: float
    pages: float
    passwords: float
    redemptions: float
    refreshes: float
    decisions: float
    pace: float
    idle: float
    waking: float

    @property
    def total(self) -> float:
        """All of them."""
        cores: tuple[float, ...] = msgspec.structs.astuple(self)
        return sum(cores)


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """The hosts. `needed` carry the load; `hosts` are those with the spare ones.

    Of each host: `memory` in bytes, `files` of a worker, `connections` of a worker.
    """

    hosts: int
    needed: int
    cores_per_host: int
    cores: Cores
    memory: float
    connections: float
    files: float
    pace_slots: int


class Proxies(msgspec.Struct, frozen=True, kw_only=True):
    """nginx. `cores` of all; `tls`: of them, for TLS. Of each proxy: the rest."""

    hosts: int
    needed: int
    cores: float
    tls: float
    connections: float
    files: float
    memory: float


class Store(msgspec.Struct, frozen=True, kw_only=True):
    """Redis or Valkey. Bytes, commands per second, cores, bits per second.

    `primaries`: more than one is a Cluster. `maxmemory`: of each. `largest_key`: the accounts,
    which no Cluster can share out.
    """

    memory: float
    grants: float
    families: float
    accounts: float
    rest: float
    commands: float
    cores: float
    network: float
    primaries: int
    maxmemory: float
    largest_key: float


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """Bits per second, both directions together: between devices and proxies, and of a host."""

    total: float
    per_host: float


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The answer. `settings`: those to change; `warnings`: what more hosts do not solve."""

    fleet: Fleet
    peak: Load
    power_cut: Load
    server: Server
    proxies: Proxies | None
    store: Store
    network: Network
    settings: dict[str, int]
    warnings: list[str]
