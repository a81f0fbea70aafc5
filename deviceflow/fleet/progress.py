"""The run while it goes on: a table in a terminal (rich), or a line every five seconds."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.table import Table

from deviceflow.fleet.result import PollOutcome, Second

LINE_EVERY_S = 5
MOST_CAUSES = 5

Rows = list[tuple[str, str, str]]


class Sums:
    """What happened so far. `last`: the newest second; `recent`: those since the last line."""

    def __init__(self) -> None:
        self.last = Second(at_s=0.0)
        self.recent: list[Second] = []
        self.events: Counter[str] = Counter()
        self.polls: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.wrong: Counter[str] = Counter()

    def add(self, second: Second) -> None:
        """Add a second."""
        self.last = second
        self.recent.append(second)
        for name in ("starts", "approvals", "denials", "tokens", "refreshes"):
            self.events[name] += getattr(second, name)
        self.polls.update(second.polls)
        self.errors.update(second.errors)
        self.wrong.update(second.wrong)

    def rows(self) -> Rows:
        """Return names, figures of the last second, and sums."""
        last = self.last
        return [
            ("devices", f"{last.devices:,}", ""),
            ("pending", f"{last.pending:,}", ""),
            ("connections", f"{last.connections:,}", ""),
            *(
                (name, f"{getattr(last, name):,}", f"{count:,}")
                for name, count in self.events.items()
            ),
            *(
                (f"polls: {outcome}", f"{last.polls.get(outcome, 0):,}", f"{self.polls[outcome]:,}")
                for outcome in PollOutcome
                if self.polls[outcome]
            ),
            ("poll p50 / p99", f"{_ms(last.poll_p50_ms)} / {_ms(last.poll_p99_ms)}", ""),
            ("generator late, cpu", f"{_ms(last.late_ms)}, {last.cpu_s:.2f} s", ""),
        ]

    def faults(self) -> Iterator[tuple[str, int]]:
        """Return errors and wrong outcomes, the most frequent first."""
        yield from ((f"wrong: {kind}", count) for kind, count in self.wrong.most_common())
        yield from (
            (f"error: {cause}", count) for cause, count in self.errors.most_common(MOST_CAUSES)
        )

    def line(self) -> str:
        """Describe the seconds since the last line: polls of each on average, the worst p99."""
        last, recent, self.recent = self.last, self.recent, []
        polls: Counter[str] = Counter()
        for second in recent:
            polls.update(second.polls)
        rates = ", ".join(
            f"{outcome} {count / len(recent):,.1f}" for outcome, count in polls.items()
        )
        slowest = max((s.poll_p99_ms for s in recent if s.poll_p99_ms is not None), default=None)
        latency = "" if slowest is None else f"; p99 at most {_ms(slowest)}"
        return (
            f"{last.at_s + 1:5.0f} s  pending {last.pending:,}, tokens {self.events['tokens']:,}; "
            f"polls/s: {rates or 'none'}{latency}; "
            f"errors {self.errors.total():,}, wrong {self.wrong.total():,}"
        )


@contextmanager
def watching(seconds: float) -> Iterator[Callable[[Second], None]]:
    """Show a run of so many seconds on standard error. Yields the function that shows a second."""
    sums = Sums()
    console = Console(stderr=True)
    if not console.is_terminal or console.is_dumb_terminal:
        yield lambda second: _print_line(sums, second)
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:

        def show(second: Second) -> None:
            sums.add(second)
            live.update(_table(sums, seconds), refresh=True)

        yield show


def _print_line(sums: Sums, second: Second) -> None:
    sums.add(second)
    if int(second.at_s + 1) % LINE_EVERY_S == 0:
        print(sums.line(), file=sys.stderr, flush=True)  # noqa: T201, progress


def _table(sums: Sums, seconds: float) -> Table:
    title = f"{sums.last.at_s + 1:.0f} of {seconds:.0f} s"
    table = Table(title, "last second", "so far", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in sums.rows():
        table.add_row(*row)
    for name, count in sums.faults():
        table.add_row(f"[red]{name}[/]", "", f"[red]{count:,}[/]")
    return table


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f} ms"
