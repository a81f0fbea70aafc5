"""Rounds: the competitors take turns, each round in another order."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from benchmarks.load import Fired, Load, Shot
from benchmarks.processes import cpu_seconds
from benchmarks.progress import Screen
from benchmarks.results import Series
from benchmarks.servers import Competitor

WARM_UP_S = 1.0


class Turns(NamedTuple):
    """How often and how long (s) everybody's turn comes."""

    rounds: int
    seconds: float


class Entry(NamedTuple):
    """A competitor, and what it is sent in a given round."""

    name: str
    server: Competitor
    shot: Callable[[int], Shot]


class Turn(NamedTuple):
    """One turn: what was fired, and the server's CPU time per answer, us."""

    fired: Fired
    server_us: float


def take_turns(
    title: str, entries: Sequence[Entry], turns: Turns, load: Load, screen: Screen
) -> list[Series]:
    """Answers per second of every entry, round by round. Raises BenchmarkError."""
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
    """Everybody begins, and follows everybody, about equally often."""
    first = number % len(entries)
    turned = [*entries[first:], *entries[:first]]
    return turned[::-1] if number // len(entries) % 2 else turned


def _turn(entry: Entry, number: int, seconds: float, load: Load) -> Turn:
    before = cpu_seconds(entry.server.pids)
    fired = load.fire(entry.server.port, entry.shot(number), seconds)
    used = cpu_seconds(entry.server.pids) - before
    return Turn(fired, used / max(1, fired.requests) * 1e6)


def _series(name: str, rows: Sequence[Turn]) -> Series:
    return Series(
        name,
        [row.fired.rate for row in rows],
        [row.server_us for row in rows],
        [row.fired.busy for row in rows],
        [row.fired.requests for row in rows],
    )
