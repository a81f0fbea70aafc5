"""What requests cost while nothing fails."""

from pathlib import Path

import click

from benchmarks import (
    approvals,
    before,
    holding,
    holding_sites,
    issue,
    memory,
    paths,
    polling,
    push,
    signing_in,
    tracing,
)
from benchmarks.commands.options import open_run, with_results, with_turns


@click.command("polling")
@with_turns
@click.option(
    "--pending",
    default=polling.PENDING,
    show_default=True,
    type=click.IntRange(1_000, 1_000_000),
    help="Pending grants that the polls cycle through.",
)
def polling_command(rounds: int, seconds: int, results: Path, pending: int) -> None:
    """Measure polls per second: lane, lane off, plain aiohttp, nginx with a constant."""
    with open_run(rounds, seconds, results) as run:
        polling.run(run, pending)


@click.command("before")
@with_turns
@click.argument("source", type=click.Path(exists=True, file_okay=False, path_type=Path))
def before_command(rounds: int, seconds: int, results: Path, source: Path) -> None:
    """Measure polls and starts of this checkout, and of another one in the folder SOURCE."""
    with open_run(rounds, seconds, results) as run:
        before.run(run, source)


@click.command("push")
@with_turns
@click.option("--held", multiple=True, default=push.HELD, type=click.IntRange(1, 100_000))
@click.option("--approvals", default=push.APPROVALS, show_default=True, type=click.IntRange(1))
def push_command(
    rounds: int, seconds: int, results: Path, held: tuple[int, ...], approvals: int
) -> None:
    """Measure the time from an approval to the tokens at a held poll."""
    with open_run(rounds, seconds, results) as run:
        push.run(run, held, approvals)


@click.command("issue")
@with_turns
def issue_command(rounds: int, seconds: int, results: Path) -> None:
    """Measure device authorizations per second."""
    with open_run(rounds, seconds, results) as run:
        issue.run(run)


@click.command("approvals")
@with_turns
def approvals_command(rounds: int, seconds: int, results: Path) -> None:
    """Measure approvals per second through the API of operators."""
    with open_run(rounds, seconds, results) as run:
        approvals.run(run)


@click.command("paths")
@with_turns
@click.option("--grants", default=paths.GRANTS, show_default=True, type=click.IntRange(10, 10_000))
def paths_command(rounds: int, seconds: int, results: Path, grants: int) -> None:
    """Measure what each kind of request costs. A turn has GRANTS of each (not --seconds)."""
    with open_run(rounds, seconds, results) as run:
        paths.run(run, grants)


@click.command("memory")
@with_turns
@click.option(
    "--pending",
    multiple=True,
    default=memory.COUNTS,
    type=click.IntRange(1_000, 1_000_000),
    help="Grants to make, in growing order.",
)
def memory_command(rounds: int, seconds: int, results: Path, pending: tuple[int, ...]) -> None:
    """Measure the bytes per pending grant, in the server and in the store."""
    with open_run(rounds, seconds, results) as run:
        memory.run(run, pending)


@click.command("holding")
@with_results
@click.option(
    "--way",
    "ways",
    multiple=True,
    default=[way.name for way in holding_sites.WAYS],
    type=click.Choice([way.name for way in holding_sites.WAYS]),
    help="Measure only this way. May be repeated.",
)
@click.option(
    "--devices",
    default=holding.DEVICES,
    show_default=True,
    type=click.IntRange(holding.APPROVALS, 5_000),
    help="Devices of each of the four servers.",
)
@click.option(
    "--seconds",
    default=holding.SECONDS,
    show_default=True,
    type=click.IntRange(5, 600),
    help="For how long polls are measured.",
)
def holding_command(results: Path, ways: tuple[str, ...], devices: int, seconds: int) -> None:
    """Measure what holding costs and gains for devices that do not ask for it."""
    with open_run(1, seconds, results) as run:
        holding.run(run, ways, devices)


@click.command("signing-in")
@with_turns
def signing_in_command(rounds: int, seconds: int, results: Path) -> None:
    """Measure what 200 sign-ins at the same moment do to the polls of waiting devices."""
    with open_run(rounds, seconds, results) as run:
        signing_in.run(run)


@click.command("tracing")
@with_turns
@click.option("--grants", default=tracing.GRANTS, show_default=True, type=click.IntRange(1, 20_000))
def tracing_command(rounds: int, seconds: int, results: Path, grants: int) -> None:
    """Measure what traces cost: starts and redemptions, in CPU time. A turn has GRANTS of each."""
    with open_run(rounds, seconds, results) as run:
        tracing.run(run, grants)
