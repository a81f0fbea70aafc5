"""The table of all paths."""

from benchmarks.results import Result
from benchmarks.tables import Row, number, span

TITLE = "What a request costs"


def figure(path: str, kind: str) -> str:
    """Return the name of a figure in the results. `kind`: a field of Cost."""
    return f"{path}: {kind}"


def head() -> Row:
    """Return the header."""
    return (
        "",
        "us of server CPU: median (min to max)",
        "store commands",
        "store bytes",
        "plain aiohttp, us",
        "plain : deviceflow",
    )


def rows(result: Result) -> list[Row]:
    """Make a row for every path. The commands include those of scripts."""
    table: list[Row] = []
    for section in result.sections:
        ours, *others = section.series
        compared = [series.spread.median for series in others]
        table.append(
            (
                section.title,
                span(ours.spread),
                number(round(result.figures[figure(section.key, "commands")], 1)),
                number(result.figures[figure(section.key, "store_bytes")]),
                number(compared[0]) if compared else "",
                span(section.ratios[0].spread) if section.ratios else "",
            )
        )
    return table
