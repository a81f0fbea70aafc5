"""Objectives in words: "poll p99 < 50 ms", "wrong outcomes = 0", "errors < 0.1 %".

    objective = measure sign value [unit]
    measure   = operation percentile | count | "generator late" | "server cpu per poll"
    sign      = "<" | "<=" | "=" | ">=" | ">"
    unit      = "us" | "ms" | "s" | "min"    of a time, which must have one
              | "/s" | "%"                   of a count: in a second of the run; of all polls

`measures.py` has the measures.
"""

import math
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from deviceflow.fleet.measures import Measure, find_measure
from deviceflow.fleet.result import Bound, FleetResult, Objective

SIGNS: dict[str, Bound] = {
    "<": "below",
    "<=": "at most",
    "=": "exactly",
    ">=": "at least",
    ">": "above",
}
"""The signs, and the bounds of a result that they stand for."""

TIME_UNITS = {"us": 0.001, "ms": 1.0, "s": 1_000.0, "min": 60_000.0}
"""The units of a time, in ms."""

COUNT_UNITS = {"": "", "/s": "_per_s", "%": "_percent"}
"""The units of a count, and what they add to the name of an objective."""

DEFAULTS = ("wrong outcomes = 0", "errors = 0", "poll p99 < 1 s")
"""The objectives of a run that names none."""

DEFAULTS_WITH_FAULTS = ("wrong outcomes = 0",)
"""The objectives of a run with faults that names none: there, polls must fail."""

_FORM = re.compile(r"([^<>=]+)(<=|>=|==|<|>|=)([^<>=]+)")
_VALUE = re.compile(r"([0-9][0-9_,]*(?:\.[0-9]+)?|\.[0-9]+)\s*(\S*)", re.ASCII)


class Wanted(NamedTuple):
    """An objective before a run. `value` is in `unit`."""

    measure: Measure
    sign: str
    value: float
    unit: str

    def __str__(self) -> str:
        """Return the objective in words that `read_objective` reads."""
        value = format(Decimal(repr(self.value)), "f").removesuffix(".0")
        return f"{self.measure.title} {self.sign} {value} {self.unit}".rstrip()


def read_objective(text: str) -> Wanted:
    """Read an objective. May raise ValueError, which says what would be right."""
    found = _FORM.fullmatch(text.replace("≤", "<=").replace("≥", ">="))
    if found is None:
        raise ValueError(
            f"{text!r} is no objective: write MEASURE SIGN VALUE, as in 'poll p99 < 50 ms'"
        )
    measure = find_measure(found[1])
    value, unit = _value(found[3].strip(), measure)
    return Wanted(measure, found[2].replace("==", "="), value, unit)


def read_objectives(text: str) -> list[Wanted]:
    """Read a file of objectives, one a line. # begins a comment. May raise ValueError."""
    wanted = []
    for number, line in enumerate(text.splitlines(), start=1):
        if words := line.partition("#")[0].strip():
            try:
                wanted.append(read_objective(words))
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from error
    return wanted


def default_objectives(*, has_faults: bool = False) -> list[Wanted]:
    """Return the objectives of a run that names none."""
    return [read_objective(text) for text in (DEFAULTS_WITH_FAULTS if has_faults else DEFAULTS)]


def judge(wanted: Sequence[Wanted], result: FleetResult) -> list[Objective]:
    """Hold a result against objectives."""
    return [_judge(each, result) for each in wanted]


def _judge(wanted: Wanted, result: FleetResult) -> Objective:
    return Objective(
        name=wanted.measure.name + COUNT_UNITS.get(wanted.unit, f"_{wanted.unit}"),
        title=wanted.measure.title,
        wanted=wanted.value,
        bound=SIGNS[wanted.sign],
        measured=_measured(wanted, result),
        unit=wanted.unit,
    )


def _measured(wanted: Wanted, result: FleetResult) -> float | None:
    figure = wanted.measure.read(result)
    if figure is None or not wanted.unit:
        return figure
    if wanted.measure.is_time:
        return figure / TIME_UNITS[wanted.unit]
    whole = result.seconds if wanted.unit == "/s" else sum(result.polls.values()) / 100
    return figure / whole if whole else None


def _value(text: str, measure: Measure) -> tuple[float, str]:
    found = _VALUE.fullmatch(text)
    value = float(found[1].replace(",", "").replace("_", "")) if found else math.inf
    if found is None or math.isinf(value):
        raise ValueError(f"{text!r} is no number with a unit, such as '50 ms', '0' or '0.1 %'")
    unit = found[2].replace("\N{MICRO SIGN}", "u").replace("\N{GREEK SMALL LETTER MU}", "u")
    units = TIME_UNITS if measure.is_time else COUNT_UNITS
    if unit not in units:
        kind = "time" if measure.is_time else "count"
        listed = ", ".join(each or "none" for each in units)
        raise ValueError(
            f"{measure.title!r} is a {kind}, so its unit is one of: {listed}; not {unit or 'none'}"
        )
    return value, unit
