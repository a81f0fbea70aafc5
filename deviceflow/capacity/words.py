"""A plan as a person reads it: sentences, tables, and the same figures for machines."""

import math
from collections.abc import Iterator, Sequence

import msgspec

from deviceflow.capacity.costs import Costs
from deviceflow.capacity.fleet import Fleet
from deviceflow.capacity.parts import Plan, Proxies, Server, Store
from deviceflow.capacity.plan import plan

Row = tuple[str, ...]

SMALLEST = 0.01
TWO_DIGITS = 10

SIZES = (1e4, 1e5, 1e6, 1e7, 1e8)
"""The fleets of the tables in docs/capacity.md."""

SIZE_HEAD = (
    "devices",
    "wait",
    "polls/s",
    "hosts",
    "worker cores",
    "nginx cores (TLS)",
    "host memory",
    "store",
    "commands/s",
    "network",
)

_UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def amount(value: float) -> str:
    """Format with two or three digits: 0.12, 4.1, 310, 41,000. Less than 0.01 is `<0.01`."""
    if value <= 0:
        return "0"
    if value < SMALLEST:
        return f"<{SMALLEST}"
    digits = max(0, len(str(int(value))) - 2)
    if digits > 1:
        return f"{round(value, -digits):,.0f}"
    places = 2 - math.floor(math.log10(value)) - 1 if value < TWO_DIGITS else 0
    return f"{value:.{places}f}"


def scaled(value: float, unit: str) -> str:
    """Format with a prefix: 1.2 GB, 310 Mbit/s."""
    for size, prefix in _UNITS:
        if value >= size:
            return f"{amount(value / size)} {prefix}{unit}"
    return f"{amount(value)} {unit}"


def counted(number: int, noun: str) -> str:
    """Return `1 host`, `2 hosts`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def sentences(found: Plan) -> Iterator[str]:
    """Yield what an operator has to provide, a sentence or two for each part."""
    yield hosts_words(found.server)
    if found.proxies:
        yield proxies_words(found.proxies, is_shared=found.fleet.proxies == "shared")
    yield store_words(found.store)
    yield (
        f"Network: {scaled(found.network.total, 'bit/s')} to and from devices and people,"
        f" {scaled(found.network.per_host, 'bit/s')} at each host that they reach."
    )


def hosts_words(server: Server) -> str:
    """Describe the hosts."""
    away = server.hosts - server.needed
    carry = "carries" if server.needed == 1 else "carry"
    carry = f": {server.needed:,} {carry} the peak when {away} {'is' if away == 1 else 'are'} away"
    cores, files = server.cores_per_host, amount(server.files)
    return (
        f"{counted(server.hosts, 'host')} with {counted(cores, 'core')}{carry if away else ''}."
        f" All workers together use {amount(server.cores.total)} cores then. A host needs"
        f" {scaled(server.memory, 'B')} of memory, and a worker {files} open files."
    )


def proxies_words(proxies: Proxies, *, is_shared: bool) -> str:
    """Describe nginx."""
    where = "on the same hosts" if is_shared else f"on {counted(proxies.hosts, 'host')} of its own"
    return (
        f"nginx {where}: {amount(proxies.cores)} cores, of which TLS needs {amount(proxies.tls)}."
        f" Each has {amount(proxies.connections)} connections,"
        f" and {scaled(proxies.memory, 'B')} of memory for them."
    )


def store_words(store: Store) -> str:
    """Describe the store."""
    if store.primaries > 1:
        kind = f"Redis Cluster of {store.primaries:,} primaries, each with a replica"
    else:
        kind = "One Redis, with a replica"
    return (
        f"{kind}: {scaled(store.memory, 'B')} at the peak, so maxmemory"
        f" {scaled(store.maxmemory, 'B')}{' each' if store.primaries > 1 else ''};"
        f" {amount(store.commands)} commands/s, {amount(store.cores)} cores,"
        f" {scaled(store.network, 'bit/s')}."
    )


def details(found: Plan) -> Iterator[tuple[str, Sequence[Row]]]:
    """Yield a title and the rows of each table: the load, and what carries it."""
    both = (found.peak, found.power_cut)
    names = {
        "starts": "starts/s",
        "waiting": "devices that wait",
        "polls": "polls/s, answered at once",
        "held_polls": "polls/s, held",
        "approvals": "approvals/s",
        "passwords": "passwords/s",
        "refreshes": "refreshes/s",
        "connections": "new connections/s",
        "requests": "requests/s",
    }
    rows = [
        (words, *(amount(getattr(each, name)) for each in both)) for name, words in names.items()
    ]
    yield "Load", [("", "at the peak", "with a power cut"), *rows]
    cores = msgspec.structs.asdict(found.server.cores)
    yield (
        "Cores of the workers",
        [
            ("", "cores"),
            *((name, amount(value)) for name, value in cores.items()),
            ("total", amount(found.server.cores.total)),
        ],
    )
    store = found.store
    parts = {"grants": store.grants, "tokens": store.families}
    parts |= {"accounts": store.accounts, "sessions, log": store.rest, "total": store.memory}
    yield (
        "Memory of the store",
        [("", "bytes"), *((name, scaled(value, "B")) for name, value in parts.items())],
    )


def setting_lines(found: Plan) -> Iterator[str]:
    """Yield a line for each setting whose default is too small."""
    for name, value in found.settings.items():
        yield f"{name} = {value:,}".replace(",", "_" if "." in name else "")


def size_table(fleet: Fleet, costs: Costs, sizes: Sequence[float] = SIZES) -> list[Row]:
    """Return a table with a row for each size of the fleet. The first row is its head."""
    rows: list[Row] = [SIZE_HEAD]
    for devices in sizes:
        share = devices / fleet.devices
        of_size = msgspec.structs.replace(fleet, devices=devices, waiting=fleet.waiting * share)
        rows.append(size_row(plan(of_size, costs)))
    return rows


def size_row(found: Plan) -> Row:
    """Return the row of one fleet."""
    server, store, proxies = found.server, found.store, found.proxies
    waiting = max(found.peak.waiting, found.power_cut.waiting)
    polls = max(each.polls + each.held_polls for each in (found.peak, found.power_cut))
    primaries = f", {store.primaries} primaries" if store.primaries > 1 else ""
    return (
        amount(found.fleet.devices),
        amount(waiting),
        amount(polls),
        f"{server.needed:,} + {server.hosts - server.needed}",
        amount(server.cores.total),
        f"{amount(proxies.cores)} ({amount(proxies.tls)})" if proxies else "",
        scaled(server.memory, "B"),
        f"{scaled(store.memory, 'B')}{primaries}",
        amount(store.commands),
        scaled(found.network.total, "bit/s"),
    )


def markdown(rows: Sequence[Row]) -> str:
    """Format a table as Markdown. The first row is its head."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|" + "---:|" * len(rows[0]))
    return "\n".join(lines)


def record(found: Plan, costs: Costs) -> dict[str, object]:
    """Return the plan for machines, with the costs that it was computed from."""
    plain: dict[str, object] = msgspec.to_builtins(found)
    plain["costs"] = msgspec.to_builtins(costs)
    plain["words"] = list(sentences(found))
    return plain
