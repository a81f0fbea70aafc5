"""Tables and documents: of all benchmarks, of the capacity model, of other makers' servers."""

from collections.abc import Callable
from pathlib import Path

import click

from benchmarks import (
    approvals,
    capacity,
    coldstart,
    issue,
    memory,
    polling,
    push,
    report,
    targets,
)
from benchmarks.commands.options import open_run, screen_console, with_turns
from benchmarks.peers import page, roster
from benchmarks.peers import run as peers
from benchmarks.processes import BenchmarkError
from benchmarks.run import Run
from benchmarks.tables import show

QUICK_ROUNDS, QUICK_SECONDS = 3, 1
QUICK_COUNTS = (10_000, 100_000)
QUICK_APPROVALS = 60


@click.command("capacity")
@with_turns
@click.option("--write-costs", is_flag=True, help="Make them the costs of this package, too.")
@click.option("--write-docs", is_flag=True, help="Only rewrite the tables of docs/capacity.md.")
def capacity_command(
    rounds: int, seconds: int, results: Path, *, write_costs: bool, write_docs: bool
) -> None:
    """Measure what the capacity model needs, and compare the model with a small fleet."""
    if not write_docs:
        with open_run(rounds, seconds, results) as run:
            capacity.run(run, writes_costs=write_costs)
    if write_docs or write_costs:
        capacity.write_page()


@click.command("peers")
@with_turns
@click.argument("names", nargs=-1, metavar="[NAME ...]")
@click.option(
    "--programs",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for what is got.  [default: ~/.cache/deviceflow-peers]",
)
@click.option(
    "--pending",
    default=peers.PENDING,
    show_default=True,
    type=click.IntRange(100, 100_000),
    help="Pending grants of each server.",
)
@click.option("--get", is_flag=True, help="Only get what the peers need.")
@click.option("--write-docs", is_flag=True, help="Only rewrite docs/peers.md from the JSON.")
def peers_command(
    rounds: int,
    seconds: int,
    results: Path,
    names: tuple[str, ...],
    programs: Path | None,
    pending: int,
    *,
    get: bool,
    write_docs: bool,
) -> None:
    """Measure other makers' servers beside this one: all, or those with these NAMEs.

    A peer whose tools are missing is left out, with the reason.
    """
    folder = programs or roster.programs_folder()
    with open_run(rounds, seconds, results) as run:
        chosen = roster.choose(names)
        if write_docs:
            page.write_docs(results, roster.PEERS.values())
        elif get:
            roster.get_all(chosen, folder, run.screen.console)
        else:
            peers.run(run, chosen, folder, pending)


@click.command("report")
@with_turns
@click.option("--quick", is_flag=True, help="A few minutes: fewer and shorter turns.")
@click.option("--write-docs", is_flag=True, help="Only rewrite docs/performance.md from the JSON.")
def report_command(
    rounds: int, seconds: int, results: Path, *, quick: bool, write_docs: bool
) -> None:
    """Run all benchmarks, and write summary.md into the folder of results."""
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
        with open_run(rounds, seconds, results) as run:
            measure(run)
    report.write_summary(results)
    show(screen_console(), "Targets", targets.HEAD, targets.rows(report.read_all(results)))


def _full() -> list[Callable[[Run], object]]:
    return [polling.run, push.run, issue.run, approvals.run, memory.run, coldstart.run]


def _quick() -> list[Callable[[Run], object]]:
    return [
        lambda run: polling.run(run, many=100_000),
        lambda run: push.run(run, approvals=QUICK_APPROVALS),
        issue.run,
        approvals.run,
        lambda run: memory.run(run, QUICK_COUNTS),
        lambda run: coldstart.run(run, 1_000),
    ]
