"""The tables of all paths."""

from collections.abc import Iterator
from typing import NamedTuple

from benchmarks.results import Result, Section
from benchmarks.servers import PLAIN
from benchmarks.tables import Row, number, span

PATHS, TLS = "What a request costs", "What a poll over TLS costs"


class PathTable(NamedTuple):
    """A table of sections."""

    title: str
    head: Row
    rows: list[Row]


def figure(path: str, kind: str) -> str:
    """Return the name of a figure in the results. `kind`: a field of Cost."""
    return f"{path}: {kind}"


def tables(result: Result) -> Iterator[PathTable]:
    """Make a row for every path. The commands of the store include those of scripts."""
    secure = [section for section in result.sections if section.key.startswith("TLS")]
    head = ("", "us of server CPU: median (min to max)", "store commands", "store bytes")
    rows = [_row(result, section) for section in result.sections if section not in secure]
    yield PathTable(PATHS, (*head, f"{PLAIN}, us", f"{PLAIN} : deviceflow"), rows)
    if secure:
        head = (
            "",
            "nginx with TLS before the worker, us",
            "TLS in the worker, us",
            "worker : nginx",
        )
        yield PathTable(TLS, head, [_tls_row(section) for section in secure])


def _row(result: Result, section: Section) -> Row:
    ours, *others = section.series
    return (
        section.title,
        span(ours.spread),
        number(round(result.figures[figure(section.key, "commands")], 1)),
        number(result.figures[figure(section.key, "store_bytes")]),
        number(others[0].spread.median) if others else "",
        span(section.ratios[0].spread) if section.ratios else "",
    )


def _tls_row(section: Section) -> Row:
    before, inside = section.series
    return (
        section.title,
        span(before.spread),
        span(inside.spread),
        span(section.ratios[0].spread),
    )
