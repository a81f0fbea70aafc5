"""The charts of a run: each with a legend, the same figures as a table, and words for both."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import NamedTuple

from deviceflow.fleet.report import chart
from deviceflow.fleet.report.chart import (
    Mark,
    Plane,
    Series,
    Values,
    Words,
    highest,
    values_of,
)
from deviceflow.fleet.report.percentiles import PERCENTILE_WORDS, draw_percentiles
from deviceflow.fleet.report.scale import Scale, time_ticks
from deviceflow.fleet.report.timeline import Figure, Timeline
from deviceflow.fleet.report.words import clock, milliseconds, number
from deviceflow.fleet.result import FleetResult, PollOutcome, Second

MOST_POINTS = 300
MOST_ROWS = 60

OUTCOME_COLOURS = {outcome: place for place, outcome in enumerate(PollOutcome)}
_TROUBLES = (("errors", (5, 1, 3, 4), "other errors"), ("wrong", (6, 0, 2), "other kinds"))
"""Fields of a second, the colours of their causes, and what the rarest are called together."""


Table = tuple[Sequence[str], Sequence[Sequence[str]]]
Group = Callable[[Timeline, Figure], Values]


class Column(NamedTuple):
    """A series over time: its name, what it is of each second, and the number of its colour."""

    name: str
    figure: Figure
    colour: int


class Panel(NamedTuple):
    """A chart. `words`: what it shows. `table`: its head, and its rows."""

    title: str
    words: str
    legend: str
    drawing: str
    table: Table


def panels(result: FleetResult) -> list[Panel]:
    """Draw the charts of a run. Those that would be empty are left out."""
    return [*_over_time(result), by_percentile(result)] if result.series else []


def _over_time(result: FleetResult) -> Iterator[Panel]:
    over_time, seconds = OverTime(result), result.series
    if columns := _outcomes(seconds):
        yield over_time.areas("Answers to polls", "In each second, by outcome.", columns)
    if columns := _measured(seconds, _POLL_LATENCIES):
        words = "From the planned time of a poll to its answer, in each second. Logarithmic scale."
        yield over_time.latencies("Latency of polls", words, columns)
    if columns := _troubles(seconds):
        words = "In each second, by cause."
        yield over_time.areas("Errors and wrong outcomes", words, columns)
    words = "In the run, of these with a code that awaits a decision, and open connections."
    yield over_time.lines("Devices", words, _DEVICES, Timeline.last)
    words = "What began and what ended in each second."
    yield over_time.lines("Grants", words, _measured(seconds, _GRANTS), Timeline.mean)
    if columns := _measured(seconds, _APPROVAL_TO_TOKENS):
        words = "Of the tokens that arrived in each second. Logarithmic scale."
        yield over_time.latencies("From the approval to the tokens", words, columns)
    if columns := _measured(seconds, _CORES):
        words = "CPU seconds that were used in each second."
        yield over_time.lines("Cores in use", words, columns, Timeline.worst)


_POLL_LATENCIES = (
    Column("p50", attrgetter("poll_p50_ms"), 0),
    Column("p99", attrgetter("poll_p99_ms"), 1),
    Column("p99.9", attrgetter("poll_p999_ms"), 3),
    Column("maximum", attrgetter("poll_max_ms"), 4),
)
_DEVICES = (
    Column("in the run", attrgetter("devices"), 0),
    Column("pending", attrgetter("pending"), 1),
    Column("connections", attrgetter("connections"), 3),
)
_GRANTS = (
    Column("starts", attrgetter("starts"), 0),
    Column("approvals", attrgetter("approvals"), 1),
    Column("tokens", attrgetter("tokens"), 2),
    Column("denials", attrgetter("denials"), 3),
    Column("refreshes", attrgetter("refreshes"), 4),
)
_APPROVAL_TO_TOKENS = (
    Column("p50", attrgetter("approval_to_tokens_p50_ms"), 0),
    Column("maximum", attrgetter("approval_to_tokens_max_ms"), 1),
)
_CORES = (
    Column("server", attrgetter("server_cpu_s"), 0),
    Column("generator", attrgetter("cpu_s"), 4),
)


class OverTime:
    """What makes the charts whose horizontal axis is the time of the run."""

    def __init__(self, result: FleetResult) -> None:
        self._points = Timeline.of(result.series, MOST_POINTS)
        self._rows = Timeline.of(result.series, MOST_ROWS)
        self._end = max(result.seconds, result.series[-1].at_s) or 1.0
        self._marks = [Mark(each.at_s, each.title, each.until_s) for each in result.faults]

    def areas(self, title: str, words: str, columns: Sequence[Column]) -> Panel:
        """Draw counts on top of each other."""
        series = self._series(columns, Timeline.mean)
        drawing = self._draw(title, chart.areas, chart.stacked_scale(series), series)
        table = self._table(columns, Timeline.mean, number)
        return Panel(title, words, chart.legend(series), drawing, table)

    def lines(self, title: str, words: str, columns: Sequence[Column], group: Group) -> Panel:
        """Draw a line for each column."""
        series = self._series(columns, group)
        drawing = self._draw(title, chart.lines, Scale.linear(values_of(series)), series)
        return Panel(
            title, words, chart.legend(series), drawing, self._table(columns, group, number)
        )

    def latencies(self, title: str, words: str, columns: Sequence[Column]) -> Panel:
        """Draw a line for each column, whose values are in ms, on a logarithmic scale."""
        series = self._series(columns, Timeline.worst)
        up = Scale.logarithmic(values_of(series))
        drawing = self._draw(title, chart.lines, up, series, milliseconds)
        table = self._table(columns, Timeline.worst, milliseconds)
        return Panel(title, words, chart.legend(series), drawing, table)

    def _series(self, columns: Sequence[Column], group: Group) -> list[Series]:
        return [
            Series(each.name, group(self._points, each.figure), each.colour) for each in columns
        ]

    def _draw(
        self,
        title: str,
        draw: Callable[..., str],
        up: Scale,
        series: Sequence[Series],
        written: Words = number,
    ) -> str:
        ticks = [(at, clock(at)) for at in time_ticks(self._end)]
        plane = Plane(self._points.times, Scale(0.0, self._end), up, ticks, written)
        faults = "".join(f" Fault at {clock(each.at)}: {each.name}." for each in self._marks)
        alt = f"{title}, over {clock(self._end)}. {highest(series, written)}.{faults}"
        return draw(plane, series, self._marks, alt)

    def _table(self, columns: Sequence[Column], group: Group, written: Words) -> Table:
        values = [group(self._rows, each.figure) for each in columns]
        rows = [
            [clock(at), *("" if value is None else written(value) for value in row)]
            for at, row in zip(self._rows.times, zip(*values, strict=True), strict=True)
        ]
        return ["from", *(each.name for each in columns)], rows


def by_percentile(result: FleetResult) -> Panel:
    """Draw the latencies of each operation by percentile."""
    title = "Latency by percentile"
    named = {operation_words(operation): each for operation, each in result.latencies.items()}
    legend, drawing = draw_percentiles(title, named)
    return Panel(title, PERCENTILE_WORDS, legend, drawing, latency_table(result))


def latency_table(result: FleetResult) -> Table:
    """Return the latencies of each operation as a table."""
    head = ("operation", "count", "mean", "p50", "p90", "p99", "p99.9", "max")
    figures = attrgetter("mean_ms", "p50_ms", "p90_ms", "p99_ms", "p999_ms", "max_ms")
    rows = [
        (operation_words(operation), number(each.count), *map(milliseconds, figures(each)))
        for operation, each in result.latencies.items()
    ]
    return head, rows


def operation_words(operation: str) -> str:
    """Return the name of an operation for people."""
    return operation.replace("_", " ")


def _measured(seconds: Sequence[Second], columns: Sequence[Column]) -> list[Column]:
    """Leave out the columns without any figure, or with nothing but 0."""
    return [each for each in columns if any(each.figure(second) for second in seconds)]


def _outcomes(seconds: Sequence[Second]) -> list[Column]:
    columns = [
        Column(outcome, _count_of("polls", outcome), colour)
        for outcome, colour in OUTCOME_COLOURS.items()
    ]
    return _measured(seconds, columns)


def _troubles(seconds: Sequence[Second]) -> list[Column]:
    """Return a column for each frequent cause of errors and kind of wrong outcome.

    As many have a column as there are colours, and the rest have one together.
    """
    columns = []
    for field, colours, others in _TROUBLES:
        counts: Counter[str] = Counter()
        for second in seconds:
            counts.update(getattr(second, field))
        listed = [cause for cause, _ in counts.most_common()]
        alone = len(colours) if len(listed) <= len(colours) else len(colours) - 1
        columns += [
            Column(cause, _count_of(field, cause), colour)
            for cause, colour in zip(listed[:alone], colours, strict=False)
        ]
        if rest := listed[alone:]:
            columns.append(Column(others, _count_of(field, *rest), colours[-1]))
    return columns


def _count_of(field: str, *keys: str) -> Figure:
    def count(second: Second) -> float:
        counts: dict[str, int] = getattr(second, field)
        return float(sum(counts.get(key, 0) for key in keys))

    return count
