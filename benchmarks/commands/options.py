"""What most commands share: their options, the console, and the run."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from benchmarks.machine import cores
from benchmarks.processes import BenchmarkError
from benchmarks.progress import Screen
from benchmarks.results import FOLDER
from benchmarks.rounds import Turns
from benchmarks.run import Run

WIDTH = 130

with_results = click.option(
    "--results",
    default=FOLDER,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write to.  [default: benchmarks/results]",
)


def with_turns(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of most benchmarks to `command`."""
    for option in (
        with_results,
        click.option(
            "--seconds",
            default=2,
            show_default=True,
            type=click.IntRange(1, 60),
            help="Length of a turn.",
        ),
        click.option(
            "--rounds",
            default=7,
            show_default=True,
            type=click.IntRange(1, 50),
            help="Turns of each competitor.",
        ),
    ):
        command = option(command)
    return command


def screen_console() -> Console:
    """Open the console: the terminal, or else an output that is wide enough for the tables."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)


@contextmanager
def open_run(rounds: int, seconds: int, results: Path) -> Iterator[Run]:
    """Open a run with its own folder. A BenchmarkError ends the program with one message."""
    console = screen_console()
    # The path of a Unix socket must be short, so the folder is not inside that of the results.
    with tempfile.TemporaryDirectory(prefix="df-") as folder, Screen.open(console) as screen:
        turns, started = Turns(rounds, seconds), time.monotonic()
        run = Run(Path(folder), results, cores(), turns, screen, started)
        console.print(run.cores.words, style="dim")
        try:
            yield run
        except BenchmarkError as error:
            raise click.ClickException(str(error)) from error
