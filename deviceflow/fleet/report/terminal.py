"""A run in the terminal, after its end (rich)."""

import os
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deviceflow.fleet.report import story
from deviceflow.fleet.report.explanations import explain
from deviceflow.fleet.report.panels import latency_table
from deviceflow.fleet.report.words import clock, number
from deviceflow.fleet.result import FleetResult

_STYLES = {"good": "bold green", "bad": "bold red", "warn": "yellow"}

_WIDEST = 10_000
_FILE_WIDTH = 120


def console_of(*, on_error: bool = False) -> Console:
    """Return the console of a command. A file is wide enough for the usual tables."""
    console = Console(stderr=on_error)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _FILE_WIDTH
    return console


def show(console: Console, result: FleetResult) -> None:
    """Print the latencies, what went wrong, the objectives, and the verdict last."""
    for sentence in story.sentences(result):
        console.print(escape(sentence), style="dim", highlight=False)
    answers = ", ".join(f"{number(count)} {kind}" for kind, count in result.polls.items() if count)
    console.print(f"\nPolls: {answers or 'none'}", highlight=False)
    if result.latencies:
        head, rows = latency_table(result)
        show_table(console, head, rows)
    _show_wrong(console, result)
    for note in result.notes:
        console.print(escape(f"Note: {note}"), style="yellow", highlight=False)
    for each in result.objectives:
        style, words = ("green", "reached") if each.is_met else ("bold red", "not reached")
        text = f"{each.title}: {story.measured(each)} (wanted {story.wanted(each)})"
        console.print(f"[{style}]{words:<11}[/] {escape(text)}", highlight=False)
    words, kind = story.verdict(result)
    console.print(f"\n[{_STYLES[kind]}]{escape(words)}[/]", highlight=False)


def show_table(console: Console, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: the first column names the rows, all others are figures.

    On a terminal that is too narrow for it, each row becomes a line that may be broken: a figure
    that is cut off would be a wrong one.
    """
    table = Table(box=None, pad_edge=False)
    for place, name in enumerate(head):
        table.add_column(escape(name), justify="right" if place else "left", no_wrap=True)
    for row in rows:
        table.add_row(*map(escape, row))
    if (
        table.__rich_measure__(console, console.options.update(width=_WIDEST)).maximum
        <= console.width
    ):
        console.print(table)
        return
    for title, *figures in rows:
        named = zip(head[1:], figures, strict=True)
        line = ", ".join(f"{name} {figure}" for name, figure in named)
        console.print(f"[bold]{escape(title)}[/]: {escape(line)}", highlight=False)


def _show_wrong(console: Console, result: FleetResult) -> None:
    for kind, each in result.wrong.items():
        console.print(
            f"[bold red]wrong[/] {number(each.count)} x {escape(kind)}, first at "
            f"{clock(each.first_s)}: {escape(explain(kind))}",
            highlight=False,
        )
        if each.example:
            console.print(f"  [dim]{escape(each.example)}[/]", highlight=False)
    for cause, count in result.errors.items():
        console.print(f"[yellow]error[/] {number(count)} x {escape(cause)}", highlight=False)
