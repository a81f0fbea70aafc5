"""The targets, and whether a run reached them."""

from collections.abc import Mapping
from typing import NamedTuple

from benchmarks.results import Result
from benchmarks.tables import Row, number

HEAD = ("Target", "wanted", "measured", "reached")


class Target(NamedTuple):
    """A figure of a benchmark, and its bound: a minimum, or (`at_most`) a maximum."""

    title: str
    benchmark: str
    figure: str
    bound: float
    at_most: bool = False

    @property
    def wanted(self) -> str:
        """The bound, for people."""
        return f"{'at most' if self.at_most else 'at least'} {number(self.bound)}"

    def is_reached(self, value: float) -> bool:
        """Return whether `value` is on the right side of the bound."""
        return value <= self.bound if self.at_most else value >= self.bound


TARGETS = (
    Target(
        "Polls/s, connections kept, 1 worker : plain aiohttp",
        "polling", "keepalive_1: lane / plain aiohttp", 5,
    ),
    Target(
        "Polls/s, connections kept, 1 worker : nginx with a constant",
        "polling", "keepalive_1: lane / nginx constant", 0.4,
    ),
    Target(
        "Polls/s, a connection per poll, 1 worker : plain aiohttp",
        "polling", "close_1: lane / plain aiohttp", 4.5,
    ),
    Target(
        "Polls/s, a connection per poll, 1 worker : nginx with a constant",
        "polling", "close_1: lane / nginx constant", 0.9,
    ),
    Target(
        "Approvals through the API per second of CPU time, 1 worker",
        "approvals", "deviceflow, per second of CPU time", 1_000,
    ),
    Target("Polls/s, 1,000,000 grants pending : 1,000", "polling", "scale: 1,000,000 / 1,000", 0.9),
    Target(
        "Store commands per pending poll", "polling", "redis commands per poll", 0, at_most=True
    ),
    Target(
        "Store commands per pending poll, right after a restart",
        "coldstart", "redis commands per poll after a restart", 0, at_most=True,
    ),
    Target(
        "Server memory per pending grant and host, bytes, 1,000,000 grants",
        "memory", "server, bytes per grant at 1,000,000", 16, at_most=True,
    ),
    Target(
        "Store memory per pending grant, both keys, bytes, 1,000,000 grants",
        "memory", "store, bytes per grant at 1,000,000", 400, at_most=True,
    ),
    Target(
        "Approval to tokens at a held poll, p99, 10,000 held : bare publish to as many, p99",
        "push", "10000: p99 / bare publish, last consumer p99", 5, at_most=True,
    ),
    Target(
        "CPU of a plain aiohttp handler with the same round trips : a start",
        "paths", "start: plain aiohttp / deviceflow", 0.9,
    ),
    Target("The same : a redemption", "paths", "redemption: plain aiohttp / deviceflow", 0.9),
    Target("The same : a refresh", "paths", "refresh: plain aiohttp / deviceflow", 0.9),
    Target(
        "Approval to tokens, ordinary client of 5 s, p50, hold 10 s : hold 0",
        "holding", "kept, hold 10: p50 / hold 0 p50", 0.2, at_most=True,
    ),
    Target(
        "Polls/s of a core, connections kept : the best peer with a durable store",
        "peers", "polls/s kept: ours / best durable peer", 12,
    ),
    Target(
        "CPU per poll of the best peer with a durable store : ours",
        "peers", "CPU per poll kept: best durable peer / ours", 10,
    ),
    Target(
        "Starts/s of a core : the best peer with a durable store",
        "peers", "starts/s: ours / best durable peer", 1.5,
    ),
)  # fmt: skip


def rows(results: Mapping[str, Result]) -> list[Row]:
    """Make a row for every target for which `results` have a figure."""
    table: list[Row] = []
    for target in TARGETS:
        result = results.get(target.benchmark)
        value = result.figures.get(target.figure) if result else None
        if value is not None:
            reached = "yes" if target.is_reached(value) else "no"
            table.append((target.title, target.wanted, number(value), reached))
    return table
