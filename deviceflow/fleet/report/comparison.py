"""The results of several runs side by side: their figures, and the ratios to the first one."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import NamedTuple

import msgspec

from deviceflow.fleet.measures import MEASURES, Measure
from deviceflow.fleet.report import story
from deviceflow.fleet.report.html import Cell, document, table
from deviceflow.fleet.report.panels import Table, operation_words
from deviceflow.fleet.report.percentiles import PERCENTILE_WORDS, draw_percentiles
from deviceflow.fleet.report.words import NOTHING, milliseconds, number
from deviceflow.fleet.result import FleetResult, Operation

_CHARTS = (Operation.POLL, Operation.START, Operation.APPROVAL_TO_TOKENS, Operation.REFRESH)


class Compared(NamedTuple):
    """A figure of each run, None where a run has not measured it; ms if it is a time."""

    measure: Measure
    values: list[float | None]

    @property
    def words(self) -> list[str]:
        """The figures for people."""
        written = milliseconds if self.measure.is_time else number
        return [NOTHING if value is None else written(value) for value in self.values]

    @property
    def ratios(self) -> list[str]:
        """The ratios of the others to the first run."""
        first, *others = self.values
        return [
            NOTHING if value is None or not first else f"{number(float(f'{value / first:.3g}'))} x"
            for value in others
        ]


def compare(results: Sequence[FleetResult]) -> list[Compared]:
    """Return the figures that at least one of the runs has measured, and that are not 0 in all."""
    found = (Compared(each, [each.read(result) for result in results]) for each in MEASURES)
    return [each for each in found if any(each.values)]


def differences(results: Sequence[FleetResult]) -> list[str]:
    """Return in what the scenarios of the runs differ: their figures are then not comparable."""
    scenarios = [msgspec.to_builtins(result.scenario) for result in results]
    fields = [name for name in scenarios[0] if name not in {"people", "seed"}]
    names = [each for each in fields if any(s[each] != scenarios[0][each] for s in scenarios)]
    people = [
        f"people's {name}"
        for name in scenarios[0]["people"]
        if any(s["people"][name] != scenarios[0]["people"][name] for s in scenarios)
    ]
    intervals = {result.settings.interval_s for result in results}
    machines = {msgspec.json.encode(result.machine) for result in results}
    return [
        *names,
        *people,
        *(["interval of the server"] if len(intervals) > 1 else []),
        *(["machine of the generator"] if len(machines) > 1 else []),
    ]


def as_table(runs: Mapping[str, FleetResult]) -> Table:
    """Return the figures of runs with their names as a table."""
    first, *others = runs
    head = ["figure", first, *(word for name in others for word in (name, "ratio"))]
    rows = []
    for each in compare(list(runs.values())):
        figure, *figures = each.words
        pairs = zip(figures, each.ratios, strict=True)
        rows.append([each.measure.title, figure, *(word for pair in pairs for word in pair)])
    return head, rows


def as_page(runs: Mapping[str, FleetResult]) -> str:
    """Return the comparison as a page that is complete in itself."""
    names = " and ".join(runs)
    found = differences(list(runs.values()))
    warning = (
        f'<p class="verdict warn">The runs differ in: {escape(", ".join(found))}. '
        "Compare with care.</p>"
        if found
        else ""
    )
    head, rows = as_table(runs)
    body = f"""<header><h1>{escape(names)}</h1>
<p class="quiet">Fleets of devices, side by side. A ratio is to the first run.</p>{warning}</header>
<section><h2>Verdicts</h2>{_verdicts(runs)}</section>
<section><h2>Figures</h2>{table(head, rows, label="Figures")}</section>
<section><h2>Latency by percentile</h2>
<p>{PERCENTILE_WORDS}</p>
<div class="charts">{"".join(_charts(runs))}</div></section>
"""
    return document(f"{names}: fleets side by side", body)


def _verdicts(runs: Mapping[str, FleetResult]) -> str:
    rows = []
    for name, result in runs.items():
        words, kind = story.verdict(result)
        more = (result.settings.target, f"{result.began:%Y-%m-%d %H:%M} UTC")
        rows.append((Cell(name, "", more), Cell(words, kind)))
    return table(("run", "verdict"), rows, label="Verdicts")


def _charts(runs: Mapping[str, FleetResult]) -> Iterator[str]:
    for operation in _CHARTS:
        latencies = {
            name: result.latencies[operation]
            for name, result in runs.items()
            if operation in result.latencies
        }
        if latencies:
            title = operation_words(operation).capitalize()
            legend, drawing = draw_percentiles(title, latencies)
            yield f"""<figure class="card"><figcaption><h3>{escape(title)}</h3></figcaption>
{legend}<div class="plot">{drawing}</div></figure>
"""
