"""Tables for the terminal and for Markdown."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.measure import Spread, spread
from benchmarks.results import Section

Row = Sequence[str]


def number(value: float) -> str:
    """Format with three significant digits: 41,300, 12.3, 0.873."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        digits = len(str(int(abs(value))))
        return f"{round(value, 3 - digits):,.0f}"
    return f"{value:.3g}"


def span(measured: Spread) -> str:
    """Format median and extremes: 5.1 (4.8 to 5.3)."""
    return f"{number(measured.median)} ({number(measured.low)} to {number(measured.high)})"


def section_rows(section: Section) -> tuple[Row, list[Row]]:
    """Return the header and the rows of a section: every competitor, and the ratio to it."""
    others = [(ratio.other, ratio) for ratio in section.ratios]
    first = section.ratios[0].competitor if section.ratios else section.series[0].competitor
    has_cpu = any(any(series.server_us) for series in section.series)
    head = ["", f"{section.unit}: median (min to max)"]
    head += [f"{first} : this"] if others else []
    head += ["server CPU, us", "load generator busy"] if has_cpu else []
    rows: list[Row] = []
    for series in section.series:
        row = [series.competitor, span(series.spread)]
        if others:
            row.append(
                next(
                    (
                        span(ratio.spread)
                        for other, ratio in others
                        if other == series.competitor and ratio.competitor == first
                    ),
                    "",
                )
            )
        if has_cpu:
            row.append(number(spread(series.server_us).median))
            row.append(f"{spread(series.generator_busy).median:.0%}")
        rows.append(row)
    return head, rows


def show(console: Console, title: str, head: Row, rows: Sequence[Row]) -> None:
    """Print a table."""
    table = Table(title=title, title_justify="left", title_style="bold", header_style="dim")
    for place, name in enumerate(head):
        table.add_column(name, justify="left" if place == 0 else "right")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def show_section(console: Console, section: Section) -> None:
    """Print a section, with its notes."""
    show(console, section.title, *section_rows(section))
    for note in section.notes:
        console.print(f"  {note}", style="dim", highlight=False)


def markdown(head: Row, rows: Sequence[Row]) -> str:
    """Format a table as Markdown."""
    lines = ["| " + " | ".join(head) + " |"]
    lines.append(
        "|" + "|".join(" --- " if place == 0 else " ---: " for place in range(len(head))) + "|"
    )
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)
