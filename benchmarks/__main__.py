"""`python -m benchmarks`: measure one thing, or everything."""

import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import click
from rich.console import Console

from benchmarks import before, coldstart, issue, memory, polling, push, report, targets
from benchmarks.machine import cores
from benchmarks.processes import BenchmarkError
from benchmarks.progress import Screen
from benchmarks.results import FOLDER
from benchmarks.rounds import Turns
from benchmarks.run import Run
from benchmarks.tables import show

WIDTH = 130
QUICK_ROUNDS, QUICK_SECONDS = 3, 1
QUICK_COUNTS = (10_000, 100_000)
QUICK_APPROVALS = 60


def turned(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that every benchmark has."""
    for option in (
        click.option(
            "--results",
            default=FOLDER,
            type=click.Path(file_okay=False, path_type=Path),
            help="Folder to write to.  [default: benchmarks/results]",
        ),
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
    """The terminal; where there is none, as wide as the tables."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)


@contextmanager
def prepared(rounds: int, seconds: int, results: Path) -> Iterator[Run]:
    """A run with a folder of its own. What goes wrong ends in one message."""
    console = screen_console()
    # A socket's path is short, so the folder is not under the results.
    with tempfile.TemporaryDirectory(prefix="df-") as folder, Screen.open(console) as screen:
        turns, started = Turns(rounds, seconds), time.monotonic()
        run = Run(Path(folder), results, cores(), turns, screen, started)
        console.print(run.cores.words, style="dim")
        try:
            yield run
        except BenchmarkError as error:
            raise click.ClickException(str(error)) from error


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Measure deviceflow beside the alternatives, on this machine, over loopback only."""
    # SIGTERM leaves through the blocks that end the servers.
    signal.signal(signal.SIGTERM, _leave)


def _leave(_: int, __: FrameType | None) -> None:
    sys.exit(143)


@main.command("polling")
@turned
@click.option(
    "--pending",
    default=polling.PENDING,
    show_default=True,
    type=click.IntRange(1_000, 1_000_000),
    help="Pending grants that the polls cycle through.",
)
def polling_command(rounds: int, seconds: int, results: Path, pending: int) -> None:
    """Polls per second: lane, lane off, plain aiohttp, nginx with a constant."""
    with prepared(rounds, seconds, results) as run:
        polling.run(run, pending)


@main.command("before")
@turned
@click.argument("source", type=click.Path(exists=True, file_okay=False, path_type=Path))
def before_command(rounds: int, seconds: int, results: Path, source: Path) -> None:
    """Polls per second of this checkout and of another one, in the folder SOURCE."""
    with prepared(rounds, seconds, results) as run:
        before.run(run, source)


@main.command("push")
@turned
@click.option("--held", multiple=True, default=push.HELD, type=click.IntRange(1, 100_000))
@click.option("--approvals", default=push.APPROVALS, show_default=True, type=click.IntRange(1))
def push_command(
    rounds: int, seconds: int, results: Path, held: tuple[int, ...], approvals: int
) -> None:
    """Time from an approval to the tokens at a held poll."""
    with prepared(rounds, seconds, results) as run:
        push.run(run, held, approvals)


@main.command("issue")
@turned
def issue_command(rounds: int, seconds: int, results: Path) -> None:
    """Device authorizations per second."""
    with prepared(rounds, seconds, results) as run:
        issue.run(run)


@main.command("memory")
@turned
@click.option(
    "--pending",
    multiple=True,
    default=memory.COUNTS,
    type=click.IntRange(1_000, 1_000_000),
    help="Grants to make, in growing order.",
)
def memory_command(rounds: int, seconds: int, results: Path, pending: tuple[int, ...]) -> None:
    """Bytes per pending grant, in the server and in the store."""
    with prepared(rounds, seconds, results) as run:
        memory.run(run, pending)


@main.command("coldstart")
@turned
@click.option(
    "--devices", default=coldstart.DEVICES, show_default=True, type=click.IntRange(1, 100_000)
)
def coldstart_command(rounds: int, seconds: int, results: Path, devices: int) -> None:
    """Kill the only worker under a polling fleet."""
    with prepared(rounds, seconds, results) as run:
        coldstart.run(run, devices)


@main.command("report")
@turned
@click.option("--quick", is_flag=True, help="A few minutes: fewer and shorter turns.")
@click.option("--write-docs", is_flag=True, help="Only rewrite docs/performance.md from the JSON.")
def report_command(
    rounds: int, seconds: int, results: Path, *, quick: bool, write_docs: bool
) -> None:
    """Everything; the summary goes to summary.md in the folder of results."""
    if write_docs:
        try:
            report.write_summary(results)
            report.write_docs(results)
        except BenchmarkError as error:
            raise click.ClickException(str(error)) from error
        return
    if quick:
        rounds, seconds = QUICK_ROUNDS, QUICK_SECONDS
    for measure in _quick() if quick else _full():
        with prepared(rounds, seconds, results) as run:
            measure(run)
    report.write_summary(results)
    show(screen_console(), "Targets", targets.HEAD, targets.rows(report.read_all(results)))


def _full() -> list[Callable[[Run], object]]:
    return [polling.run, push.run, issue.run, memory.run, coldstart.run]


def _quick() -> list[Callable[[Run], object]]:
    return [
        lambda run: polling.run(run, many=100_000),
        lambda run: push.run(run, approvals=QUICK_APPROVALS),
        issue.run,
        lambda run: memory.run(run, QUICK_COUNTS),
        lambda run: coldstart.run(run, 1_000),
    ]


if __name__ == "__main__":
    main()
