"""Rounds: the competitors take turns, in another order in each round."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from benchmarks.load import Load, LoadResult, Shot
from benchmarks.processes import cpu_seconds
from benchmarks.progress import Screen
from benchmarks.results import Series
from benchmarks.servers import Competitor

WARM_UP_S = 1.0


class Turns(NamedTuple):
    """The number of rounds, and the length of a turn in s."""

    rounds: int
    seconds: float


class Entry(NamedTuple):
    """A competitor, and the requests that it receives in each round."""

    name: str
    server: Competitor
    shot: Callable[[int], Shot]


class Turn(NamedTuple):
    """The results of one turn, and the CPU time per answer of the server and its store in us."""

    fired: LoadResult
    server_us: float
    store_us: float = 0.0


def take_turns(
    title: str, entries: Sequence[Entry], turns: Turns, load: Load, screen: Screen
) -> list[Series]:
    """Measure the answers per second of every entry, round by round. May raise BenchmarkError."""
    taken: dict[str, list[Turn]] = {entry.name: [] for entry in entries}
    with screen.steps(title, len(entries) * (turns.rounds + 1)) as steps:
        for entry in entries:
            steps.now(f"warming up {entry.name}")
            load.fire(entry.server.port, entry.shot(0), WARM_UP_S)
            steps.done()
        for number in range(turns.rounds):
            for entry in order(entries, number):
                steps.now(f"round {number + 1} of {turns.rounds}: {entry.name}")
                taken[entry.name].append(_turn(entry, number, turns.seconds, load))
                steps.done()
    return [_series(name, rows) for name, rows in taken.items()]


def order(entries: Sequence[Entry], number: int) -> list[Entry]:
    """Order the entries so that each is first, and follows each other, about equally often."""
    first = number % len(entries)
    rotated = [*entries[first:], *entries[:first]]
    return rotated[::-1] if number // len(entries) % 2 else rotated


def _turn(entry: Entry, number: int, seconds: float, load: Load) -> Turn:
    groups = (entry.server.pids, entry.server.store_pids)
    before = [cpu_seconds(pids) for pids in groups]
    fired = load.fire(entry.server.port, entry.shot(number), seconds)
    used = [cpu_seconds(pids) - spent for pids, spent in zip(groups, before, strict=True)]
    server_us, store_us = (spent / max(1, fired.requests) * 1e6 for spent in used)
    return Turn(fired, server_us, store_us)


def _series(name: str, rows: Sequence[Turn]) -> Series:
    return Series(
        name,
        [row.fired.rate for row in rows],
        [row.server_us for row in rows],
        [row.fired.busy for row in rows],
        [row.fired.requests for row in rows],
        [row.store_us for row in rows] if any(row.store_us for row in rows) else [],
    )
