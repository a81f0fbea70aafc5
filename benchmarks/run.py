"""A run of a benchmark: its folder, cores, screen and start time, and its output."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from benchmarks import targets
from benchmarks.load import generator
from benchmarks.machine import Cores, describe
from benchmarks.progress import Screen
from benchmarks.results import Result, Section, write
from benchmarks.rounds import Turns
from benchmarks.tables import number, show, show_section


class Run(NamedTuple):
    """The environment of a benchmark. `folder`: for files of this run only."""

    folder: Path
    results: Path
    cores: Cores
    turns: Turns
    screen: Screen
    started: float

    def finish(
        self,
        benchmark: str,
        sections: Sequence[Section],
        figures: dict[str, float],
        parameters: dict[str, float | int | str],
        notes: Sequence[str] = (),
    ) -> Result:
        """Print the results, and write them to a file."""
        result = self.collect(benchmark, sections, figures, parameters, notes)
        console = self.screen.console
        for section in sections:
            show_section(console, section)
        if not sections:
            values = [(name, number(value)) for name, value in figures.items()]
            show(console, benchmark.capitalize(), ("", "value"), values)
        if rows := targets.rows({benchmark: result}):
            show(console, "Targets", targets.HEAD, rows)
        self.keep(result)
        return result

    def collect(
        self,
        benchmark: str,
        sections: Sequence[Section],
        figures: dict[str, float],
        parameters: dict[str, float | int | str],
        notes: Sequence[str] = (),
    ) -> Result:
        """Return the results, with what they were measured on."""
        common: dict[str, float | int | str] = {
            "rounds": self.turns.rounds,
            "seconds": self.turns.seconds,
            "load": generator(),
            "cores": self.cores.words,
        }
        return Result(
            benchmark=benchmark,
            measured_on=datetime.now(UTC).date().isoformat(),
            took_s=time.monotonic() - self.started,
            machine=describe(),
            parameters=common | parameters,
            sections=list(sections),
            figures=figures,
            notes=list(notes),
        )

    def keep(self, result: Result) -> None:
        """Write the results to a file."""
        path = write(result, self.results)
        self.screen.console.print(f"written: {path.name}", style="dim")
