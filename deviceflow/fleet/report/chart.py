"""Charts as inline SVG: lines, or areas on top of each other, with faults as vertical lines.

The shapes are stretched to the width of the page, and texts are not: they are placed by per cent.
So one drawing is readable on a telephone and on a wide screen. Colours are those of the page's
style sheet (`style.py`), so the same drawing suits a light and a dark page.
"""

from collections.abc import Callable, Iterator, Sequence
from html import escape
from itertools import groupby
from typing import NamedTuple

from deviceflow.fleet.report.scale import Scale
from deviceflow.fleet.report.words import number

HEIGHT = 190
_WIDE, _HIGH = 1000, 1000
_LETTER = 0.025
"""The room that a letter of a fault's name takes, as a part of the width on a telephone."""

_ROW_PX = 15
_TURN = 0.45
"""From this part of the width on, the name of a fault is to the left of its line: there is room."""

Values = Sequence[float | None]
Words = Callable[[float], str]


class Series(NamedTuple):
    """A series of a chart: a value for each place on the horizontal axis, None for a gap.

    `colour`: the number of a colour of the style sheet.
    """

    name: str
    values: Values
    colour: int


class Mark(NamedTuple):
    """A vertical line with a name: a fault. `until`: its end, if it lasted."""

    at: float
    name: str
    until: float | None = None


class Plane(NamedTuple):
    """Where the values are: the horizontal places, both axes, and how they are written.

    `ticks`: horizontal places with their words.
    """

    places: Sequence[float]
    across: Scale
    up: Scale
    ticks: Sequence[tuple[float, str]]
    up_words: Words = number


def lines(plane: Plane, series: Sequence[Series], marks: Sequence[Mark], alt: str) -> str:
    """Draw each series as a line."""
    shapes = "".join(
        f'<path class="line c{each.colour}" d="{_line(plane, each.values)}"/>' for each in series
    )
    return _svg(plane, shapes, marks, alt)


def areas(plane: Plane, series: Sequence[Series], marks: Sequence[Mark], alt: str) -> str:
    """Draw the series as areas, each on top of the ones before it. A gap counts as 0."""
    shapes, floor = [], [0.0] * len(plane.places)
    for each in series:
        top = [low + (value or 0.0) for low, value in zip(floor, each.values, strict=True)]
        shapes.append(f'<path class="area c{each.colour}" d="{_area(plane, floor, top)}"/>')
        floor = top
    return _svg(plane, "".join(shapes), marks, alt)


def stacked_scale(series: Sequence[Series]) -> Scale:
    """Return the vertical axis for `areas`."""
    rows = zip(*(each.values for each in series), strict=True)
    return Scale.linear(sum(value or 0.0 for value in row) for row in rows)


def legend(series: Sequence[Series]) -> str:
    """Return the names of the series beside their colours."""
    items = (f'<li><i class="c{each.colour}"></i>{escape(each.name)}</li>' for each in series)
    return f'<ul class="legend">{"".join(items)}</ul>'


def values_of(series: Sequence[Series]) -> list[float]:
    """Return all values of some series."""
    return [value for each in series for value in each.values if value is not None]


def highest(series: Sequence[Series], written: Words) -> str:
    """Say the highest value of each series: what a chart shows at first sight."""
    found = ((each.name, values_of([each])) for each in series)
    parts = [f"{name} at most {written(max(values))}" for name, values in found if values]
    return "; ".join(parts) or "No figures"


def _line(plane: Plane, values: Values) -> str:
    """Return a path with a piece for each run of values. A value alone becomes a dot."""
    places = zip(plane.places, values, strict=True)
    pieces = []
    for is_there, run in groupby(places, key=lambda pair: pair[1] is not None):
        if is_there:
            points = [_point(plane, at, value or 0.0) for at, value in run]
            pieces.append("M" + "L".join(points if len(points) > 1 else points * 2))
    return "".join(pieces)


def _area(plane: Plane, floor: Sequence[float], top: Sequence[float]) -> str:
    there = [_point(plane, at, value) for at, value in zip(plane.places, top, strict=True)]
    back = [_point(plane, at, value) for at, value in zip(plane.places, floor, strict=True)]
    return f"M{'L'.join(there + back[::-1])}Z" if there else ""


def _point(plane: Plane, at: float, value: float) -> str:
    x = round(plane.across.place(at) * _WIDE, 1)
    y = round((1 - plane.up.place(value)) * _HIGH, 1)
    return f"{x:g} {y:g}"


def _svg(plane: Plane, shapes: str, marks: Sequence[Mark], alt: str) -> str:
    rows = _rows(plane, marks)
    above = _ROW_PX * (max(rows, default=-1) + 1)
    return (
        f'<svg class="chart" role="img" aria-label="{escape(alt)}" width="100%"'
        f' height="{HEIGHT + above}">'
        f'<svg y="{above}" width="100%" height="{HEIGHT}" overflow="visible">'
        f"{''.join(_grid(plane))}"
        f'<svg width="100%" height="100%" viewBox="0 0 {_WIDE} {_HIGH}"'
        f' preserveAspectRatio="none">{shapes}</svg>'
        f"{''.join(_marks(plane, marks, rows))}"
        "</svg></svg>"
    )


def _grid(plane: Plane) -> Iterator[str]:
    for value in plane.up.ticks():
        y = _percent(1 - plane.up.place(value))
        yield f'<line class="grid" x1="0" x2="100%" y1="{y}" y2="{y}"/>'
        yield f'<text class="up" x="-8" y="{y}" dy=".32em">{escape(plane.up_words(value))}</text>'
    for value, words in plane.ticks:
        x = _percent(plane.across.place(value))
        yield f'<text class="across" x="{x}" y="100%" dy="1.6em">{escape(words)}</text>'


def _marks(plane: Plane, marks: Sequence[Mark], rows: Sequence[int]) -> Iterator[str]:
    for mark, row in zip(marks, rows, strict=True):
        place = plane.across.place(mark.at)
        x, y = _percent(place), -_ROW_PX * row
        if mark.until is not None:
            wide = _percent(plane.across.place(mark.until) - place)
            yield f'<rect class="mark" x="{x}" width="{wide}" y="0" height="100%"/>'
        yield f'<line class="mark" x1="{x}" x2="{x}" y1="{y - 12}" y2="100%"/>'
    # Texts come last, on top of the lines of others.
    for mark, row in zip(marks, rows, strict=True):
        place = plane.across.place(mark.at)
        side, shift = ("left", -5) if place > _TURN else ("right", 5)
        words, y = escape(mark.name), -_ROW_PX * row - 4
        yield f'<text class="mark {side}" x="{_percent(place)}" dx="{shift}" y="{y}">{words}</text>'


def _rows(plane: Plane, marks: Sequence[Mark]) -> list[int]:
    """Return the row of each mark's name, from the bottom: none is on top of another."""
    rows: list[int] = []
    spans = [_span(plane.across.place(mark.at), mark.name) for mark in marks]
    for place, (begin, end) in enumerate(spans):
        taken = {
            row
            for row, span in zip(rows, spans[:place], strict=True)
            if begin < span[1] and span[0] < end
        }
        rows.append(next(row for row in range(len(marks)) if row not in taken))
    return rows


def _span(place: float, name: str) -> tuple[float, float]:
    """Return from where to where a name is, as parts of the width."""
    wide = len(name) * _LETTER
    return (place - wide, place) if place > _TURN else (place, place + wide)


def _percent(part: float) -> str:
    return f"{100 * part:.4g}%"
