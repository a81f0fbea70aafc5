"""What faults, floods and outages do: real ones, and simulated ones."""

from pathlib import Path

import click

from benchmarks import (
    balancer,
    coldstart,
    faults,
    flood,
    hosts,
    outage,
    overload,
    powercut,
    replacing,
)
from benchmarks.commands.options import open_run, screen_console, with_results, with_turns
from benchmarks.faults.kinds import FAULTS
from benchmarks.simulation.power_cut import Habits
from deviceflow.config import GrantLimits


@click.command("coldstart")
@with_turns
@click.option(
    "--devices", default=coldstart.DEVICES, show_default=True, type=click.IntRange(1, 100_000)
)
def coldstart_command(rounds: int, seconds: int, results: Path, devices: int) -> None:
    """Kill the only worker while a fleet polls."""
    with open_run(rounds, seconds, results) as run:
        coldstart.run(run, devices)


@click.command("hosts")
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


@click.command("replacing")
@with_turns
@click.option("--command", default="reload", type=click.Choice(["reload", "upgrade"]))
@click.option("--times", default=100, show_default=True, type=click.IntRange(1, 1_000))
def replacing_command(rounds: int, seconds: int, results: Path, command: str, times: int) -> None:
    """Count the polls that are lost while all workers are replaced."""
    with open_run(rounds, seconds, results) as run:
        replacing.run(run, command, times)


@click.command("faults")
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


@click.command("flood")
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


@click.command("outage")
@with_results
@click.option("--devices", multiple=True, default=outage.SIZES, type=click.FloatRange(1_000, 1e9))
@click.option("--cohorts", default=outage.COHORTS, show_default=True, type=click.IntRange(100))
def outage_command(results: Path, devices: tuple[float, ...], cohorts: int) -> None:
    """Simulate the hosts or the store being away for five minutes, under 10^6 to 10^8 devices."""
    outage.run(screen_console(), results, sizes=devices, cohorts=cohorts)


@click.command("overload")
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


@click.command("powercut")
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
