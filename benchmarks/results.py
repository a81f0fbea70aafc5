"""The results of a benchmark, as JSON with the raw figure of every round."""

import json
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.measure import Spread, ratios, spread
from deviceflow.fleet.result import Machine

FOLDER = Path(__file__).parent / "results"


class Series(msgspec.Struct, frozen=True):
    """A competitor's figures, one per round.

    `server_us`, `store_us`: CPU time per request, of the server and of a store that is its own.
    """

    competitor: str
    values: list[float]
    server_us: list[float] = []
    generator_busy: list[float] = []
    requests: list[int] = []
    store_us: list[float] = []

    @property
    def spread(self) -> Spread:
        """The spread of the figures."""
        return spread(self.values)


class Ratio(msgspec.Struct, frozen=True):
    """The figures of one competitor divided by those of another, round by round."""

    competitor: str
    other: str
    values: list[float]

    @property
    def spread(self) -> Spread:
        """The spread of the ratios."""
        return spread(self.values)


class Section(msgspec.Struct, frozen=True):
    """Competitors that were measured in turns. `key` is for machines, `title` for people."""

    key: str
    title: str
    unit: str
    series: list[Series]
    ratios: list[Ratio]
    notes: list[str] = []

    def of(self, competitor: str) -> Series:
        """Return a competitor's series. May raise KeyError."""
        for series in self.series:
            if series.competitor == competitor:
                return series
        raise KeyError(competitor)


class Result(msgspec.Struct, frozen=True):
    """The result of a benchmark. `figures`: single numbers, by name."""

    benchmark: str
    measured_on: str
    took_s: float
    machine: Machine
    parameters: dict[str, float | int | str]
    sections: list[Section]
    figures: dict[str, float]
    notes: list[str] = []

    def section(self, key: str) -> Section | None:
        """Return the section with this key, or None if it was not measured."""
        return next((section for section in self.sections if section.key == key), None)


def make_section(
    key: str,
    title: str,
    unit: str,
    series: Sequence[Series],
    pairs: Sequence[tuple[str, str]],
    notes: Sequence[str] = (),
) -> Section:
    """Make a section with the ratios of `pairs` of competitors."""
    values = {row.competitor: row.values for row in series}
    compared = [
        Ratio(competitor, other, ratios(values[competitor], values[other]))
        for competitor, other in pairs
    ]
    return Section(key, title, unit, list(series), compared, list(notes))


def write(result: Result, folder: Path) -> Path:
    """Write `folder`/<benchmark>.json."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result.benchmark}.json"
    text = json.dumps(msgspec.to_builtins(_rounded(result)), indent=1)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def read(benchmark: str, folder: Path) -> Result | None:
    """Read the result of the last run of `benchmark`, or return None."""
    path = folder / f"{benchmark}.json"
    return msgspec.json.decode(path.read_bytes(), type=Result) if path.exists() else None


def _rounded(value: object) -> object:
    """Round to five significant digits. The measurements are not more exact."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, msgspec.Struct):
        return _rounded(msgspec.to_builtins(value))
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return value
