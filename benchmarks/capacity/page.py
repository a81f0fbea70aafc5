"""docs/capacity.md: its tables, what the commands on it print, and the verdicts, between marks."""

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from click.testing import CliRunner

from benchmarks.capacity.document import LOAD
from benchmarks.measure import spread
from benchmarks.processes import BenchmarkError
from benchmarks.results import FOLDER, Result, read
from benchmarks.tables import markdown as table_of
from benchmarks.tables import number
from deviceflow.capacity.costs import read as read_costs
from deviceflow.capacity.fleet import Fleet
from deviceflow.capacity.words import markdown, size_table
from deviceflow.cli.capacity import capacity

PAGE = Path(__file__).parents[2] / "docs" / "capacity.md"
ANY = 1e4
"""Replaced in each row of a table."""

TABLES = {
    "ordinary": Fleet(devices=ANY),
    "kept": Fleet(devices=ANY, kept=1.0, affinity=True),
    "all wait": Fleet(devices=ANY, waiting=ANY, kept=1.0, affinity=True),
    "all wait, held": Fleet(devices=ANY, waiting=ANY, kept=1.0, affinity=True, hold=20.0),
}
"""The tables by the names in their marks."""

RATIO = "model : measured, "
_EXAMPLE = re.compile(r"```sh\n(deviceflow capacity [^`]+)```\n\n<!-- ([a-z ]+): start -->")
_PROMPT = "deviceflow capacity "


def page_as_of_now(text: str) -> str:
    """Return the page with everything between its marks made again. May raise BenchmarkError."""
    for name, block in _blocks(text):
        start, end = f"<!-- {name}: start -->", f"<!-- {name}: end -->"
        pattern = re.compile(re.escape(start) + ".*?" + re.escape(end), re.DOTALL)
        made = f"{start}\n\n{block}\n\n{end}"
        text, count = pattern.subn(made.replace("\\", r"\\"), text)
        if count != 1:
            raise BenchmarkError(f"docs/capacity.md needs the marks {start} and {end} once each")
    return text


def write_page() -> None:
    """Write the page as of now. May raise BenchmarkError."""
    PAGE.write_text(page_as_of_now(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    costs = read_costs()
    for name, fleet in TABLES.items():
        yield name, markdown(size_table(fleet, costs))
    for command, name in _EXAMPLE.findall(text):
        yield name, f"```text\n{_printed(command)}\n```"
    outage = FOLDER / "outage.md"
    if outage.exists():
        yield "outage", outage.read_text(encoding="utf-8").strip()
    result = read("capacity", FOLDER)
    if result is not None:
        yield "verdicts", _verdicts(result)


def _printed(command: str) -> str:
    """Return what a command of the page prints, without the tables. May raise BenchmarkError."""
    arguments = shlex.split(command.replace("\\\n", "").removeprefix(_PROMPT))
    printed = CliRunner().invoke(capacity, arguments)
    if printed.exit_code:
        raise BenchmarkError(f"{command}: {printed.output}")
    parts = printed.stdout.strip().split("\n\n")
    told = [part for part in parts[1:] if part.startswith(("Settings", "Warning"))]
    return "\n".join([parts[0], *told])


def _verdicts(result: Result) -> str:
    """Return the verdicts of the last run, and where it ran."""
    machine = result.machine
    figures: Mapping[str, float] = result.figures
    rows = [
        (name.removeprefix(RATIO), number(value), _span(result, name))
        for name, value in figures.items()
        if name.startswith(RATIO)
    ]
    where = f"Measured on {result.measured_on}: {machine.cpu}, {machine.cores} cores"
    where += f", with a load average of {result.parameters[LOAD]}"
    return f"{where}.\n\n{table_of(('model : measured', 'median', 'rounds'), rows)}"


def _span(result: Result, name: str) -> str:
    for section in result.sections:
        for series in section.series:
            if series.competitor == name.removeprefix(RATIO):
                values = spread(series.values)
                return f"{number(values.low)} to {number(values.high)}"
    return ""
