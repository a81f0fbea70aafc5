"""`powercut`: a fleet comes back after a power cut, in simulated time (`simulation/power_cut.py`).

The same devices meet servers with a fixed interval, with one that follows the load, and with one
that is spread over the new grants, too. The costs of requests are measured; the time is simulated.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from benchmarks.plots import BAD, OURS, OURS_LIGHT, drawing
from benchmarks.simulation.power_cut import Costs, Habits, PowerCut, Second
from benchmarks.simulation.workers import Pace
from benchmarks.tables import number, show

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DEVICES = 1_000_000
CORES = 4.0
SECONDS = 600
HABITS, COSTS = Habits(back_within_s=300.0), Costs()
LONGEST_S = 30
LATE_S = 1.1
"""Starts may wait for a second before they are refused, and polls wait in the same queue."""

HEAD = ("", "polls", "timed out", f"s with p99 > {LATE_S} s", "worst p99, s", "have tokens")

PACES = {
    Pace("fixed interval"): BAD,
    Pace("follows the load, not spread", LONGEST_S, is_spread=False): OURS_LIGHT,
    Pace("follows the load", LONGEST_S): OURS,
}
"""What is compared, and the colour of each."""


def run(
    console: Console,
    results: Path,
    *,
    devices: int = DEVICES,
    cores: float = CORES,
    habits: Habits = HABITS,
    costs: Costs = COSTS,
    seconds: int = SECONDS,
) -> dict[str, list[Second]]:
    """Simulate, show a table, and draw `powercut.svg`."""
    courses = {
        pace.name: PowerCut(devices, cores, pace, costs, habits).run(seconds) for pace in PACES
    }
    title = f"{devices:,} devices back within {habits.back_within_s:g} s, {cores:g} cores"
    show(console, title, HEAD, [row(name, course, devices) for name, course in courses.items()])
    draw(results / "powercut.svg", courses, title)
    return courses


def row(name: str, course: Sequence[Second], devices: int) -> tuple[str, ...]:
    """Return the row of a table."""
    late = sum(second.p99_s > LATE_S for second in course)
    return (
        name,
        f"{sum(second.answered for second in course):,}",
        f"{sum(second.timed_out for second in course):,}",
        str(late),
        number(max(second.p99_s for second in course)),
        f"{course[-1].done / devices:.1%}",
    )


def draw(path: Path, courses: dict[str, list[Second]], title: str) -> None:
    """Draw the latency of polls, their number, the interval and the devices that have tokens."""
    with drawing(path, 2, 2, (9, 5)) as axes:
        _lines(axes[0], "p99 of polls, s", courses, "p99_s")
        axes[0].set_yscale("log")
        _lines(axes[1], "polls answered in a second", courses, "answered")
        _lines(axes[2], "interval that the server asks for, s", courses, "interval_s")
        _lines(axes[3], "devices that have tokens", courses, "done")
        for axis in axes[1:]:
            axis.set_ylim(bottom=0)
            axis.yaxis.set_major_formatter(lambda value, _: number(value))
        axes[3].legend(fontsize=7)
        for axis in axes[2:]:
            axis.set_xlabel("seconds after the power is back")
        axes[0].figure.suptitle(title, x=0.01, ha="left", fontsize=10)


def _lines(axis: "Axes", title: str, courses: dict[str, list[Second]], figure: str) -> None:
    colours = {pace.name: colour for pace, colour in PACES.items()}
    for name, course in courses.items():
        axis.plot(
            [second.at for second in course],
            [getattr(second, figure) for second in course],
            color=colours[name],
            linewidth=1.2,
            label=name,
        )
    axis.set_title(title)
    axis.grid(visible=True, axis="y")
