"""Curves of latencies by percentile: from one mark of the axis to the next, ten times rarer.

A place on the axis is the number of nines: 0 is the fastest request, 1 the 90th percentile, 2 the
99th. So the slow requests, which people notice, have as much room as the many fast ones.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from deviceflow.fleet.report.chart import Plane, Series, highest, legend, lines, values_of
from deviceflow.fleet.report.scale import Scale
from deviceflow.fleet.report.words import milliseconds
from deviceflow.fleet.result import Latency

PERCENTILE_WORDS = "Of all requests. From one mark to the next, requests are ten times rarer."

_POINTS = 200
_COLOURS = 7
_FEWEST_NINES = 3

Curve = Sequence[tuple[float, float]]


class Curves(NamedTuple):
    """Curves by name, in ms at each of `places`; None behind the slowest request."""

    places: Sequence[float]
    across: Scale
    ticks: Sequence[tuple[float, str]]
    values: dict[str, list[float | None]]


def curves(latencies: Mapping[str, Latency]) -> Curves:
    """Return the curves of all latencies that have buckets."""
    found = {name: curve for name, each in latencies.items() if (curve := _curve(each))}
    ends = {curve[-1][0] for curve in found.values()}
    nines = max(_FEWEST_NINES, math.ceil(max(ends, default=0.0)))
    places = sorted(ends | {nines * place / _POINTS for place in range(_POINTS + 1)})
    ticks = [(0.0, "p0"), *((float(each), percentile_words(each)) for each in range(1, nines))]
    values = {name: [_at(curve, place) for place in places] for name, curve in found.items()}
    return Curves(places, Scale(0.0, float(nines)), ticks, values)


def draw_percentiles(title: str, latencies: Mapping[str, Latency]) -> tuple[str, str]:
    """Return the legend and the drawing of latencies by name."""
    found = curves(latencies)
    series = [
        Series(name, found.values[name], place % _COLOURS)
        for place, name in enumerate(latencies)
        if name in found.values
    ]
    up = Scale.logarithmic(values_of(series))
    plane = Plane(found.places, found.across, up, found.ticks, milliseconds)
    alt = f"{title}: latency by percentile. {highest(series, milliseconds)}."
    return legend(series), lines(plane, series, [], alt)


def percentile_words(nines: int) -> str:
    """Return the percentile with so many nines: p90, p99, p99.9."""
    return f"p{100 - 100 * 10.0**-nines:.10g}"


def _curve(latency: Latency) -> Curve:
    """Return where each bucket begins and its bound, and where the slowest request is."""
    total = sum(count for _, count in latency.buckets)
    curve, below = [], 0
    for bound, count in latency.buckets:
        curve.append((math.log10(total / (total - below)), bound))
        below += count
    # Of 1,000 requests, the slowest one stands for three nines.
    return [*curve, (math.log10(total), curve[-1][1])] if curve else []


def _at(curve: Curve, place: float) -> float | None:
    if place > curve[-1][0]:
        return None
    return next(bound for begin, bound in reversed(curve) if begin <= place)
