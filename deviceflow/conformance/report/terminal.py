"""The run in a terminal: progress while it goes on, then a table and what failed (rich)."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from deviceflow.conformance.check import Check, Judgement, Result
from deviceflow.conformance.report import Run
from deviceflow.conformance.run import Listener, counts

_STYLES = {
    Judgement.PASS: "green",
    Judgement.FAIL: "bold red",
    Judgement.WARNING: "yellow",
    Judgement.NOT_APPLICABLE: "dim",
    Judgement.UNJUDGED: "cyan",
}
_SHOWN_EXCHANGES = 3


@contextmanager
def progress(console: Console, number: int) -> Iterator[Listener]:
    """Show how far the run is; the block gets what to call with each result."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("checks", total=number)

        def on_result(result: Result) -> None:
            bar.update(task, advance=1, description=escape(result.check.group))
            if result.judgement is Judgement.FAIL:
                console.print(f"[bold red]fail[/] {result.check.id} {escape(result.reason)}")

        yield on_result


def show(console: Console, run: Run) -> None:
    """Print the table, then what was sent and came back where a check failed."""
    table = Table("", "clause", "", "check", "found", box=None, pad_edge=False)
    for result in run.results:
        check = result.check
        style = _STYLES[result.judgement]
        table.add_row(
            f"[{style}]{result.judgement.value}[/]",
            check.clause,
            f"[dim]{check.level.value}[/]",
            escape(check.title),
            escape(result.reason),
        )
    console.print(table)
    for result in run.results:
        if result.judgement in (Judgement.FAIL, Judgement.WARNING):
            _show_exchanges(console, result)
    found = ", ".join(
        f"[{_STYLES[judgement]}]{number} {judgement.value}[/]"
        for judgement, number in counts(run.results).items()
        if number
    )
    verdict = "[bold green]passed[/]" if run.is_passed else "[bold red]not passed[/]"
    console.print(
        f"\n{escape(run.server or run.issuer)}, profile {run.profile}: {verdict} ({found})"
    )


def show_list(console: Console, checks: list[Check]) -> None:
    """Print the checks that a run would have."""
    table = Table("id", "clause", "", "check", box=None, pad_edge=False)
    for check in checks:
        table.add_row(check.id, check.clause, f"[dim]{check.level.value}[/]", escape(check.title))
    console.print(table)


def _show_exchanges(console: Console, result: Result) -> None:
    style = _STYLES[result.judgement]
    console.print(f"\n[{style}]{result.check.id} {escape(result.check.title)}[/]")
    console.print(f"  {escape(result.reason)}")
    for exchange in result.exchanges[-_SHOWN_EXCHANGES:]:
        sent = " ".join(f"{name}={value}" for name, value in exchange.sent)
        console.print(f"  [dim]{escape(f'> {exchange.method} {exchange.url} {sent}')}[/]")
        console.print(f"  [dim]{escape(f'< {exchange.status} {exchange.body}')}[/]")
