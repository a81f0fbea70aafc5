"""`python -m benchmarks`: run one benchmark, or all of them."""

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

from benchmarks import (
    approvals,
    balancer,
    before,
    capacity,
    coldstart,
    faults,
    flood,
    holding,
    holding_sites,
    hosts,
    issue,
    memory,
    outage,
    overload,
    paths,
    polling,
    powercut,
    push,
    replacing,
    report,
    signing_in,
    targets,
    tracing,
)
from benchmarks.faults.kinds import FAULTS
from benchmarks.fleet.command import fleet_command
from benchmarks.machine import cores
from benchmarks.peers import page, roster
from benchmarks.peers import run as peers
from benchmarks.processes import BenchmarkError
from benchmarks.progress import Screen
from benchmarks.results import FOLDER
from benchmarks.rounds import Turns
from benchmarks.run import Run
from benchmarks.simulation.power_cut import Habits
from benchmarks.tables import show
from deviceflow.config import GrantLimits

WIDTH = 130
QUICK_ROUNDS, QUICK_SECONDS = 3, 1
QUICK_COUNTS = (10_000, 100_000)
QUICK_APPROVALS = 60


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


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Measure deviceflow and the alternatives, on this machine, over loopback only."""
    # At SIGTERM, exit through the `with` blocks, which end the servers.
    signal.signal(signal.SIGTERM, _leave)


def _leave(_: int, __: FrameType | None) -> None:
    sys.exit(143)


@main.command("polling")
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


@main.command("before")
@with_turns
@click.argument("source", type=click.Path(exists=True, file_okay=False, path_type=Path))
def before_command(rounds: int, seconds: int, results: Path, source: Path) -> None:
    """Measure polls per second of this checkout, and of another one in the folder SOURCE."""
    with open_run(rounds, seconds, results) as run:
        before.run(run, source)


@main.command("push")
@with_turns
@click.option("--held", multiple=True, default=push.HELD, type=click.IntRange(1, 100_000))
@click.option("--approvals", default=push.APPROVALS, show_default=True, type=click.IntRange(1))
def push_command(
    rounds: int, seconds: int, results: Path, held: tuple[int, ...], approvals: int
) -> None:
    """Measure the time from an approval to the tokens at a held poll."""
    with open_run(rounds, seconds, results) as run:
        push.run(run, held, approvals)


@main.command("issue")
@with_turns
def issue_command(rounds: int, seconds: int, results: Path) -> None:
    """Measure device authorizations per second."""
    with open_run(rounds, seconds, results) as run:
        issue.run(run)


@main.command("approvals")
@with_turns
def approvals_command(rounds: int, seconds: int, results: Path) -> None:
    """Measure approvals per second through the API of operators."""
    with open_run(rounds, seconds, results) as run:
        approvals.run(run)


@main.command("paths")
@with_turns
@click.option("--grants", default=paths.GRANTS, show_default=True, type=click.IntRange(10, 10_000))
def paths_command(rounds: int, seconds: int, results: Path, grants: int) -> None:
    """Measure what each kind of request costs. A turn has GRANTS of each (not --seconds)."""
    with open_run(rounds, seconds, results) as run:
        paths.run(run, grants)


@main.command("memory")
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


@main.command("coldstart")
@with_turns
@click.option(
    "--devices", default=coldstart.DEVICES, show_default=True, type=click.IntRange(1, 100_000)
)
def coldstart_command(rounds: int, seconds: int, results: Path, devices: int) -> None:
    """Kill the only worker while a fleet polls."""
    with open_run(rounds, seconds, results) as run:
        coldstart.run(run, devices)


@main.command("capacity")
@with_turns
@click.option("--write-costs", is_flag=True, help="Make them the costs of this package, too.")
@click.option("--write-docs", is_flag=True, help="Only rewrite the tables of docs/capacity.md.")
def capacity_command(
    rounds: int, seconds: int, results: Path, *, write_costs: bool, write_docs: bool
) -> None:
    """Measure what the capacity model needs, and hold the model against a small fleet."""
    if not write_docs:
        with open_run(rounds, seconds, results) as run:
            capacity.run(run, writes_costs=write_costs)
    if write_docs or write_costs:
        capacity.write_page()


@main.command("hosts")
@with_results
@click.option("--haproxy", is_flag=True, help="Real hosts behind a real HAProxy, in real time.")
@click.option(
    "--devices",
    default=balancer.DEVICES,
    show_default=True,
    type=click.IntRange(1, 5_000),
    help="Devices behind HAProxy.",
)
def hosts_command(results: Path, devices: int, *, haproxy: bool) -> None:
    """Count polls that are too fast and slip through behind several hosts, in simulated time."""
    if not haproxy:
        hosts.run(screen_console())
        return
    with open_run(1, balancer.SECONDS, results) as run:
        balancer.run(run, devices)


@main.command("holding")
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


@main.command("replacing")
@with_turns
@click.option("--command", default="reload", type=click.Choice(["reload", "upgrade"]))
@click.option("--times", default=100, show_default=True, type=click.IntRange(1, 1_000))
def replacing_command(rounds: int, seconds: int, results: Path, command: str, times: int) -> None:
    """Count the polls that are lost while all workers are replaced."""
    with open_run(rounds, seconds, results) as run:
        replacing.run(run, command, times)


@main.command("signing-in")
@with_turns
def signing_in_command(rounds: int, seconds: int, results: Path) -> None:
    """Measure what 200 sign-ins at the same moment do to the polls of waiting devices."""
    with open_run(rounds, seconds, results) as run:
        signing_in.run(run)


@main.command("tracing")
@with_turns
@click.option("--grants", default=tracing.GRANTS, show_default=True, type=click.IntRange(1, 20_000))
def tracing_command(rounds: int, seconds: int, results: Path, grants: int) -> None:
    """Measure what traces cost: starts and redemptions, in CPU time. A turn has GRANTS of each."""
    with open_run(rounds, seconds, results) as run:
        tracing.run(run, grants)


@main.command("faults")
@with_results
@click.option(
    "--only",
    multiple=True,
    type=click.Choice([fault.name for fault in FAULTS]),
    help="Bring about only this fault. May be repeated.",
)
@click.option(
    "--seconds",
    default=faults.SECONDS,
    show_default=True,
    type=click.IntRange(5, 300),
    help="Length of a run, from the fault on.",
)
@click.option("--polls", default=faults.POLLS, show_default=True, type=click.IntRange(10, 20_000))
@click.option("--approvals", default=faults.APPROVALS, show_default=True, type=click.IntRange(1))
def faults_command(
    results: Path, only: tuple[str, ...], seconds: int, polls: int, approvals: int
) -> None:
    """Let one fault after the other happen under a fleet, and count what it costs.

    Exit status 1 if a decision that was acknowledged is lost, or a device gets a wrong answer.
    """
    with open_run(1, seconds, results) as run:
        faults.run(run, only, faults.Rates(polls, approvals, seconds))


@main.command("flood")
@with_results
@click.option(
    "--seconds",
    default=flood.SECONDS,
    show_default=True,
    type=click.IntRange(5, 60),
    help="Length of each of the two floods.",
)
@click.option(
    "--room-mb",
    default=flood.ROOM_MB,
    show_default=True,
    type=click.IntRange(1, 1_000),
    help="What the store has room for.",
)
@click.option(
    "--starts",
    default=GrantLimits().starts_per_address,
    show_default=True,
    type=click.IntRange(1, 1_000_000),
    help="The limit of an address.",
)
def flood_command(results: Path, seconds: int, room_mb: int, starts: int) -> None:
    """Let one address flood a server with new grants, while devices and people use it."""
    with open_run(1, seconds, results) as run:
        flood.run(run, room_mb, starts)


@main.command("outage")
@with_results
@click.option("--devices", multiple=True, default=outage.SIZES, type=click.FloatRange(1_000, 1e9))
@click.option("--cohorts", default=outage.COHORTS, show_default=True, type=click.IntRange(100))
def outage_command(results: Path, devices: tuple[float, ...], cohorts: int) -> None:
    """Simulate the hosts or the store being away for five minutes, under 10^6 to 10^8 devices."""
    outage.run(screen_console(), results, sizes=devices, cohorts=cohorts)


@main.command("peers")
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


@main.command("overload")
@with_results
@click.option(
    "--devices",
    default=overload.DEVICES,
    show_default=True,
    type=click.IntRange(100, 1_000_000),
    help="Devices that poll every 5 s.",
)
@click.option(
    "--neighbours",
    default=overload.NEIGHBOURS,
    show_default=True,
    type=click.IntRange(0, 50),
    help="Programs that compete for the worker's core.",
)
@click.option(
    "--seconds",
    default=overload.SECONDS,
    show_default=True,
    type=click.IntRange(40, 3_600),
    help="How long they do.",
)
@click.option(
    "--starts-per-s",
    default=overload.STARTS_PER_S,
    show_default=True,
    type=click.IntRange(1, 10_000),
    help="How fast the devices begin, before that.",
)
def overload_command(
    results: Path, devices: int, neighbours: int, seconds: int, starts_per_s: int
) -> None:
    """Overload a worker under a fleet, with a fixed interval and one that follows the load."""
    with open_run(1, seconds, results) as run:
        overload.run(run, overload.Overload(devices, neighbours, seconds, starts_per_s))


@main.command("powercut")
@with_results
@click.option(
    "--devices",
    default=powercut.DEVICES,
    show_default=True,
    type=click.IntRange(100, 10_000_000),
    help="Devices that come back.",
)
@click.option(
    "--cores",
    default=powercut.CORES,
    show_default=True,
    type=click.FloatRange(0.01, 1_000),
    help="Cores of the workers, all together.",
)
@click.option(
    "--back-s",
    default=300,
    show_default=True,
    type=click.IntRange(1, 3_600),
    help="The time in which all devices come back, in s.",
)
@click.option("--seconds", default=powercut.SECONDS, show_default=True, type=click.IntRange(10))
def powercut_command(results: Path, devices: int, cores: float, back_s: int, seconds: int) -> None:
    """Simulate a fleet after a power cut, with a fixed interval and one that follows the load."""
    habits = Habits(back_within_s=float(back_s))
    powercut.run(
        screen_console(), results, devices=devices, cores=cores, habits=habits, seconds=seconds
    )


@main.command("report")
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


main.add_command(fleet_command)


if __name__ == "__main__":
    main()
