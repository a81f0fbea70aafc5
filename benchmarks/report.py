"""`report`: the results of all benchmarks as Markdown."""

import re
from collections.abc import Mapping
from pathlib import Path

from benchmarks import targets
from benchmarks.paths.table import tables
from benchmarks.processes import BenchmarkError
from benchmarks.results import Result, read
from benchmarks.tables import markdown, section_rows

BENCHMARKS = ("polling", "push", "issue", "approvals", "memory", "coldstart", "paths")
DOCS = Path(__file__).parent.parent / "docs" / "performance.md"
START, END = "<!-- figures: start -->", "<!-- figures: end -->"


def read_all(folder: Path) -> dict[str, Result]:
    """Read the results in `folder`, by benchmark."""
    results = {name: read(name, folder) for name in BENCHMARKS}
    return {name: result for name, result in results.items() if result is not None}


def write_summary(folder: Path) -> Path:
    """Write `folder`/summary.md from the JSON files in the same folder."""
    results = read_all(folder)
    path = folder / "summary.md"
    text = f"# Benchmarks: summary\n\n{summary(results)}\n\n{figures(results)}\n"
    path.write_text(text, encoding="utf-8")
    return path


def write_docs(folder: Path, docs: Path = DOCS) -> None:
    """Write the figures of `folder` between the two marks in `docs`. May raise BenchmarkError."""
    results = read_all(folder)
    put_block(f"{summary(results)}\n\n{figures(results)}", docs)


def put_block(figures: str, docs: Path) -> None:
    """Write `figures` between the two marks in `docs`. May raise BenchmarkError."""
    text = docs.read_text(encoding="utf-8")
    block = f"{START}\n\n{figures}\n\n{END}"
    pattern = re.compile(re.escape(START) + ".*?" + re.escape(END), re.DOTALL)
    changed, count = pattern.subn(lambda _: block, text)
    if count != 1:
        raise BenchmarkError(f"{docs.name} needs the marks {START} and {END} once each")
    docs.write_text(changed, encoding="utf-8")


def summary(results: Mapping[str, Result]) -> str:
    """Describe the machine and the targets. May raise BenchmarkError: if there is no result."""
    if not results:
        raise BenchmarkError("there are no results yet: run `python -m benchmarks report`")
    table = markdown(targets.HEAD, targets.rows(results))
    return f"{machine_words(next(iter(results.values())))}\n\n{table}"


def figures(results: Mapping[str, Result]) -> str:
    """Format every section as a table, and the figures of memory."""
    parts = []
    for result in results.values():
        if result.benchmark == "paths":
            for table in tables(result):
                parts += [f"**{table.title}**", markdown(table.head, table.rows)]
            continue
        for section in result.sections:
            parts.append(f"**{section.title}**")
            parts.append(markdown(*section_rows(section)))
            parts += [f"- {note}" for note in section.notes]
        if not result.sections:
            parts.append(f"**{result.benchmark.capitalize()}**")
            rows = [(name, f"{value:.1f}") for name, value in result.figures.items()]
            parts.append(markdown(("", "bytes"), rows))
    return _spaced(parts)


def _spaced(parts: list[str]) -> str:
    """Join the blocks with empty lines, but not the points of a list."""
    text = "\n\n".join(parts)
    return re.sub(r"(?m)^(- .*)\n\n(?=- )", r"\1\n", text)


def machine_words(result: Result) -> str:
    """Describe what the result was measured on."""
    machine, parameters = result.machine, result.parameters
    versions = ", ".join(f"{name} {text}" for name, text in machine.versions.items())
    return (
        f"Measured on {result.measured_on}: {machine.cpu}, {machine.cores} cores, "
        f"{machine.memory_gb:g} GB, {machine.system}; {versions}. "
        f"{parameters['rounds']} rounds of {parameters['seconds']} s, load by "
        f"{parameters['load']}; {parameters['cores']}. "
        "Ratios are medians over the rounds (smallest to greatest)."
    )
