"""`outage`: fleets of 10^6 to 10^8 devices after an outage, in simulated time.

Each fleet has the hosts that the capacity model plans for it, and the costs of that model. All
hosts are away for five minutes, or the store is; the interval is fixed, or follows the load.
"""

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console

from benchmarks.plots import BAD, INK, OURS, drawing
from benchmarks.simulation.outage import Away, Fault, Fleet, Moment, Outage, Work, recovered_s
from benchmarks.simulation.station import Station
from benchmarks.simulation.workers import Pace
from benchmarks.tables import markdown, number, show
from deviceflow.capacity import fleet as model
from deviceflow.capacity.costs import read
from deviceflow.capacity.plan import plan

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZES = (1e6, 1e7, 1e8)
WAITING = (0.1, 1.0)
SECONDS = 1_200
COHORTS = 20_000
PACES = {"fixed": Pace("fixed"), "follows the load": Pace("follows the load", 30)}
COLOURS = {"fixed": BAD, "follows the load": OURS}
AWAY: tuple[Away, ...] = ("hosts", "store")
Courses = dict[tuple[Away, str], list[Moment]]
HEAD = ("devices", "wait", "away", "interval", "cores", "worst p99, s", "late", "all well after")


def run(
    console: Console,
    results: Path,
    *,
    sizes: Sequence[float] = SIZES,
    seconds: int = SECONDS,
    cohorts: int = COHORTS,
) -> list[tuple[str, ...]]:
    """Simulate, show a table, and draw `outage.svg` for the largest fleet."""
    rows: list[tuple[str, ...]] = []
    courses: Courses = {}
    for size, waiting, away in product(sizes, WAITING, AWAY):
        fleet, fault = planned(size, waiting)._replace(cohorts=cohorts), Fault(away)
        for name, pace in PACES.items():
            moments = Outage(fleet, work(), fault, pace).run(seconds)
            rows.append(row(fleet, fault, name, moments))
            courses[away, name] = moments
    show(console, "After five minutes of an outage", HEAD, rows)
    draw(results / "outage.svg", courses, f"{sizes[-1]:,.0f} devices, which all wait")
    (results / "outage.md").write_text(markdown(HEAD, rows) + "\n", encoding="utf-8")
    return rows


def work() -> Work:
    """Return the costs of the model."""
    at = read().operations
    return Work(at.refresh.server_us / 1e6, at.poll.server_us / 1e6, at.start.server_us / 1e6)


def planned(devices: float, waiting: float) -> Fleet:
    """Return a fleet of which this share waits, on the workers that carry its peak."""
    described = model.Fleet(
        devices=devices, waiting=waiting * devices, kept=1.0, affinity=True, proxies="own"
    )
    server = plan(described, read()).server
    return Fleet(devices, server.needed * server.cores_per_host, waiting)


def row(fleet: Fleet, fault: Fault, pace: str, moments: list[Moment]) -> tuple[str, ...]:
    """Return the row of a table."""
    after = [moment for moment in moments if moment.at > fault.ends]
    recovered = recovered_s(moments, fault, fleet.devices)
    return (
        f"{fleet.devices:,.0f}",
        f"{fleet.waiting:.0%}",
        fault.away,
        pace,
        number(fleet.cores),
        number(max((moment.p99_s for moment in after), default=0.0)),
        number(sum(moment.late for moment in after)),
        f"{recovered:.0f} s" if recovered is not None else f"not within {moments[-1].at:.0f} s",
    )


def draw(path: Path, courses: Courses, title: str) -> None:
    """Draw the latency, the answers and the devices that are owed something."""
    figures = (
        ("p99 of all requests, s", "p99_s"),
        ("answers in a second", "answered"),
        ("devices that are owed a refresh or a start", "owed"),
    )
    with drawing(path, len(figures), len(AWAY), (9, 6.5)) as axes:
        for place, axis in enumerate(axes):
            words, figure = figures[place // len(AWAY)]
            away = AWAY[place % len(AWAY)]
            _lines(axis, f"{away} away: {words}", away, figure, courses)
        axes[0].legend(fontsize=7)
        for axis in axes[-len(AWAY) :]:
            axis.set_xlabel("seconds")
        axes[0].figure.suptitle(title, x=0.01, ha="left", fontsize=10)


def _lines(
    axis: "Axes",
    title: str,
    away: Away,
    figure: str,
    courses: Courses,
) -> None:
    fault = Fault(away)
    for name, colour in COLOURS.items():
        moments = courses[away, name]
        axis.plot(
            [moment.at for moment in moments],
            [getattr(moment, figure) for moment in moments],
            color=colour,
            linewidth=1.1,
            label=name,
        )
    for at in (fault.at, fault.ends):
        axis.axvline(at, color=INK, linewidth=0.6, linestyle=":")
    axis.set_title(title, fontsize=9)
    axis.grid(visible=True, axis="y")
    axis.set_ylim(bottom=0)
    axis.yaxis.set_major_formatter(lambda value, _: number(value))


def reconnected_s(devices: int, back_s: float, retry_s: float, poll_s: float) -> float:
    """Return when the queue has answered all devices of a worker that was killed at 0, in s.

    It is back after `back_s`. Each device tries again every `retry_s`, and its first poll over a
    new connection costs `poll_s`: what `coldstart` does with real devices.
    """
    arrivals = back_s + np.linspace(0, retry_s, devices)
    return float(Station(1.0).serve(arrivals, np.full(devices, poll_s))[-1])
