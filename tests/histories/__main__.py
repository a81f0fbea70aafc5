"""`python -m tests.histories`: a long run under faults, with a report at the end.

The time is shared out among the stores that are named. The history of each is kept.
"""

import asyncio
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import click

from tests.histories.checker import check
from tests.histories.history import read
from tests.histories.planted import BUGS, variables
from tests.histories.report import report, status
from tests.histories.run import Plan, Summary, run
from tests.histories.site import SINGLE, STORES, faketime

FOLDER = Path(".histories")
QUIET_LINE_S = 60.0


@click.group(invoke_without_command=True)
@click.option("--seconds", type=click.FloatRange(min=10), default=300.0, show_default=True)
@click.option("--store", "stores", type=click.Choice(STORES), multiple=True, default=STORES)
@click.option("--devices", type=click.IntRange(min=1), default=24, show_default=True)
@click.option("--seed", type=int, help="The same devices, people and faults again.")
@click.option("--only", default="", help="Only faults with this in their name.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where the history is kept.")
@click.pass_context
def main(
    context: click.Context,
    seconds: float,
    stores: tuple[str, ...],
    devices: int,
    seed: int | None,
    only: str,
    folder: Path | None,
) -> None:
    """Run devices, people, operators and faults, and check the history."""
    if context.invoked_subcommand is not None:
        return
    place = folder or FOLDER / datetime.now(UTC).strftime("%Y-%m-%d-%H%M%S")
    drawn = int(time.time()) if seed is None else seed
    summaries: list[Summary] = []
    if not faketime():
        click.echo("No clock is turned: libfaketime is not installed.")
    for store in stores:
        plan = Plan(store, seconds / len(stores), devices, drawn, only)
        click.echo(f"{store}: {plan.seconds:.0f} s, seed {drawn}, kept in {place / store}")
        summaries.append(asyncio.run(run(plan, place / store, _Line().show)))
        click.echo()
    text = report(summaries)
    (place / "report.txt").write_text(text, encoding="utf-8")
    click.echo(text)
    sys.exit(any(summary.violations for summary in summaries))


@main.command(name="check")
@click.argument("history", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check_again(history: Path) -> None:
    """Check the history of an earlier run."""
    violations = check(read(history))
    for violation in violations:
        click.echo(f"{violation}\n")
    click.echo(f"{len(violations)} violations")
    sys.exit(bool(violations))


@main.command(name="planted")
@click.argument("names", nargs=-1, type=click.Choice(list(BUGS)))
@click.option("--seconds", type=click.FloatRange(min=10), default=180.0, show_default=True)
@click.option("--seed", type=int, default=8628, show_default=True)
def run_planted(names: tuple[str, ...], seconds: float, seed: int) -> None:
    """Plant mistakes into the servers, and say how long the checker takes to find each."""
    missed = []
    for name in names or BUGS:
        plan = Plan(SINGLE, seconds, seed=seed, orders_s=1.0, stops_at_once=True)
        summary = asyncio.run(run(plan, FOLDER / "planted" / name, variables=variables(name)))
        if summary.first_at is None:
            missed.append(name)
        found = "missed" if summary.first_at is None else f"{summary.first_at:5.0f} s"
        rules = ", ".join(sorted({violation.rule for violation in summary.violations}))
        click.echo(f"{name:<34} {found:>8}  {rules}")
    sys.exit(bool(missed))


class _Line:
    """The progress: one line that changes, or without a terminal a line a minute."""

    def __init__(self) -> None:
        self._last = 0.0

    def show(self, summary: Summary) -> None:
        """Show how far the run has come."""
        if sys.stdout.isatty():
            click.echo(f"\r\033[K{status(summary)}", nl=False)
        elif time.monotonic() - self._last > QUIET_LINE_S:
            self._last = time.monotonic()
            click.echo(status(summary))


main()
