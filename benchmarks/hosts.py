"""`hosts`: devices that poll too fast, behind a balancer with several hosts.

Nothing is served here. The hosts' pace tables and what they tell each other are the real ones;
the time is simulated, so the figures do not depend on the machine. A message takes as long as a
host waits to tell, and `DELAY_MS` more.
"""

import random
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import NamedTuple

from rich.console import Console

from benchmarks.tables import show
from deviceflow.core.device_code import NONCE_BITS
from deviceflow.core.pace import PaceTable, pack
from deviceflow.core.pace_gossip import PaceGossip, PaceReport
from deviceflow.store.pace_sharing import TELL_EVERY_S

DEVICES = 200
SLOTS = 16_384
INTERVAL_S = 5
CAP_S = 60
SECONDS = 120
PACES_S = (1.0, 2.5, 4.0)
DELAY_MS = 10

_TELL_EVERY_MS = int(TELL_EVERY_S * 1000)

Route = Callable[[random.Random, int], Iterator[int]]
"""Which host gets each poll of a device."""


def one_after_the_other(chance: random.Random, hosts: int) -> Iterator[int]:
    """Lead each poll of a device to the next host."""
    start = chance.randrange(hosts)
    return cycle([*range(start, hosts), *range(start)])


def at_random(chance: random.Random, hosts: int) -> Iterator[int]:
    """Lead each poll anywhere, as round robin over many devices does."""
    while True:
        yield chance.randrange(hosts)


def by_address(chance: random.Random, hosts: int) -> Iterator[int]:
    """Lead all polls of a device to one host."""
    return cycle([chance.randrange(hosts)])


class Outcome(NamedTuple):
    """Polls that were too fast and caught, all polls, and reports to the other hosts."""

    caught: int
    polls: int
    reports: int


class Host:
    """A host: the memory that its workers share."""

    def __init__(self) -> None:
        memory = memoryview(bytearray(8 * SLOTS))
        self.table = PaceTable(memory, CAP_S)
        self.gossip = PaceGossip(memory)


class Fleet:
    """Devices that poll at one pace, whatever the answers are, and the hosts that they reach."""

    def __init__(self, hosts: int, route: Route, pace_s: float, *, is_shared: bool) -> None:
        chance = random.Random(8628)
        self.hosts = [Host() for _ in range(hosts)]
        self.is_shared = is_shared
        self._pace_ms = int(pace_s * 1000)
        self._routes = [route(chance, hosts) for _ in range(DEVICES)]
        self._starts = [chance.randrange(self._pace_ms) for _ in range(DEVICES)]
        self._nonces = [chance.randrange(1, 1 << 16) for _ in range(DEVICES)]

    def run(self) -> Outcome:
        """Let `SECONDS` pass."""
        caught = polls = reports = 0
        under_way: list[tuple[int, Host, list[PaceReport]]] = []
        for now_ms in range(0, SECONDS * 1000, DELAY_MS):
            while under_way and under_way[0][0] <= now_ms:
                _, sender, told = under_way.pop(0)
                for host in self.hosts:
                    if host is not sender:
                        host.gossip.take(told, now_ms)
            if self.is_shared and now_ms % _TELL_EVERY_MS == 0:
                for host in self.hosts:
                    told = list(host.gossip.reports(now_ms))
                    reports += len(told)
                    under_way.append((now_ms + DELAY_MS, host, told))
            for device in self._due(now_ms):
                polls += 1
                caught += self._poll(device, now_ms)
        return Outcome(caught, polls, reports)

    def _due(self, now_ms: int) -> Iterator[int]:
        for device, start in enumerate(self._starts):
            if (now_ms - start) % self._pace_ms < DELAY_MS and now_ms >= start:
                yield device

    def _poll(self, device: int, now_ms: int) -> bool:
        host = self.hosts[next(self._routes[device])]
        grant = device << NONCE_BITS | self._nonces[device]
        return host.table.judge(grant, device, now_ms, INTERVAL_S) > 0


def rows() -> list[tuple[str, ...]]:
    """Measure every case."""
    found: list[tuple[str, ...]] = []
    for pace_s in PACES_S:
        alone = Fleet(1, by_address, pace_s, is_shared=False).run()
        for hosts in (2, 3):
            for route in (one_after_the_other, at_random, by_address):
                plain = Fleet(hosts, route, pace_s, is_shared=False).run()
                shared = Fleet(hosts, route, pace_s, is_shared=True).run()
                found.append(
                    (
                        f"{pace_s:g} s",
                        str(hosts),
                        route.__name__.replace("_", " "),
                        _slipped(plain, alone),
                        _slipped(shared, alone),
                        f"{shared.reports / shared.polls:.2f}",
                    )
                )
    return found


HEAD = (
    "a poll every",
    "hosts",
    "polls reach them",
    "slipped through",
    "with the pace shared",
    "reports a poll",
)


LOOKS = ((0, 0), (100_000, 0), (100_000, 5_000), (500_000, 0), (500_000, 25_000))
"""Pending grants in the table, and how many of them were polled since the last look."""

MANY_SLOTS = 1 << 20


def costs() -> Iterator[tuple[str, ...]]:
    """Measure what a look at the table costs, and what it costs to hear of the polls."""
    for pending, polled in LOOKS:
        table = memoryview(bytearray(8 * MANY_SLOTS))
        teller, hearer = PaceGossip(table), PaceGossip(memoryview(bytearray(8 * MANY_SLOTS)))
        entries = table.cast("Q")
        for slot in range(pending):
            entries[slot] = pack(1 + slot % 65_000, INTERVAL_S, 1)
        list(teller.reports(1))
        for slot in random.Random(8628).sample(range(pending), polled):
            entries[slot] = pack(1 + (slot + 1) % 65_000, INTERVAL_S, 2)
        began = time.process_time()
        told = list(teller.reports(2))
        looked = time.process_time()
        hearer.take(told, 2)
        heard = time.process_time()
        yield f"{pending:,}", f"{polled:,}", _ms(looked - began), _ms(heard - looked)


def run(console: Console) -> None:
    """Print the tables."""
    head = ("pending", "polled since", "CPU of a look, ms", "CPU to hear of it, ms")
    show(console, f"A table of {MANY_SLOTS:,} slots", head, list(costs()))
    show(console, f"Polls that are too fast; the interval is {INTERVAL_S} s", HEAD, rows())


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f}"


def _slipped(outcome: Outcome, alone: Outcome) -> str:
    """Return the share of polls that one host would have caught, and these did not."""
    return f"{1 - outcome.caught / alone.caught:.1%}"
