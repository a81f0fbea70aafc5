"""`overload`: neighbours take the core of a worker while a fleet polls it, in real time.

The fleet is that of `deviceflow fleet`, and its polls take the ordinary path, as those of clients
with a secret do. It meets a server with a fixed interval, and then one whose interval follows the
load. When all devices poll, as many programs as `neighbours` begin to compete for the core.
"""

import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.plots import BAD, INK, OURS, drawing
from benchmarks.processes import BenchmarkError, end, running
from benchmarks.run import Run
from benchmarks.servers import Competitor, Place, deviceflow
from benchmarks.stores import store
from benchmarks.tables import number, show
from deviceflow.fleet.result import FleetResult, PollOutcome, Second, read_result

DEVICES = 20_000
NEIGHBOURS = 2
SECONDS = 120
LONGEST_S = 30
CALM_S = 15
STARTS_PER_S = 200
SETTLED_S = 30
"""The first seconds with neighbours: the devices hear of the new interval one after the other."""

CLIENT_ID = "tv-5s"
CLIENT = f"""\
[[clients]]
client_id = "{CLIENT_ID}"
name = "Television"
scopes = ["openid"]
"""

FIXED, FOLLOWS = "fixed interval", "follows the load"
COLOURS = {FIXED: BAD, FOLLOWS: OURS}
HEAD = (
    "",
    "pending",
    "polls/s before",
    "p99 before, ms",
    "polls/s",
    "p99, ms",
    "worst p99, ms",
    "no answer",
)


class Overload(NamedTuple):
    """What happens: the fleet begins within `ramp_s`, and the neighbours come at `crowded_at_s`.

    `starts_per_s`: few enough that starts are no load, and that all devices poll by then.
    """

    devices: int
    neighbours: int
    seconds: int
    starts_per_s: int = STARTS_PER_S

    @property
    def ramp_s(self) -> float:
        """As many seconds as starts need."""
        return self.devices / self.starts_per_s

    @property
    def crowded_at_s(self) -> float:
        """When the neighbours begin, in s from the start of the run."""
        return self.ramp_s + CALM_S

    @property
    def ends_at_s(self) -> float:
        """When the run ends."""
        return self.crowded_at_s + self.seconds


def run(run: Run, plan: Overload) -> None:
    """Let the fleet meet both servers, show a table, and draw `overload.svg`."""
    courses = {
        FIXED: _meet(run, plan, 0).series,
        FOLLOWS: _meet(run, plan, LONGEST_S).series,
    }
    title = f"{plan.devices:,} devices, and {plan.neighbours} neighbours on the worker's core"
    rows = [row(name, course, plan) for name, course in courses.items()]
    show(run.screen.console, title, HEAD, rows)
    draw(run.results / "overload.svg", courses, plan, title)


def _meet(run: Run, plan: Overload, longest_s: int) -> FleetResult:
    """Run a server and its fleet, once. May raise BenchmarkError."""
    folder = run.folder / f"longest-{longest_s}"
    folder.mkdir()
    with ExitStack() as stack:
        opened = stack.enter_context(store(folder, run.cores.generator))
        server = stack.enter_context(
            deviceflow(
                Place(folder, run.cores.server),
                opened.url,
                lane=False,
                variables={"DEVICEFLOW_DEVICE_LOAD_INTERVAL_S": str(longest_s)},
                more=CLIENT,
            )
        )
        found, log = folder / "fleet.json", folder / "fleet.log"
        command = fleet_command(server, plan, str(found))
        fleet = stack.enter_context(running(command, log, core=run.cores.generator))
        time.sleep(plan.crowded_at_s)
        for place in range(plan.neighbours):
            spin = (sys.executable, "-c", "while True: pass")
            stack.enter_context(running(spin, folder / f"spin-{place}", core=run.cores.server))
        fleet.wait()
        if not found.is_file():
            raise BenchmarkError(f"the fleet ended early: {log.read_text(errors='replace')[-500:]}")
        end(fleet)
        return read_result(found.read_bytes())


def fleet_command(server: Competitor, plan: Overload, found: str) -> list[str]:
    """Return the command that runs the fleet."""
    base = f"http://127.0.0.1:{server.port}"
    options = {
        "--target": base,
        "--client-id": CLIENT_ID,
        "--devices": str(plan.devices),
        "--ramp": f"{plan.ramp_s:g}s",
        "--for": f"{plan.ends_at_s:g}s",
        "--objective": "wrong outcomes = 0",
        "--device-authorization-endpoint": f"{base}/oauth2/device_authorization",
        "--token-endpoint": f"{base}/oauth2/token",
        "--json": found,
    }
    words = (word for option in options.items() for word in option)
    return [sys.executable, "-m", "deviceflow", "fleet", *words]


def row(name: str, course: Sequence[Second], plan: Overload) -> tuple[str, ...]:
    """Return the row of a table."""
    calm = [each for each in course if plan.ramp_s + 2 <= each.at_s < plan.crowded_at_s - 1]
    busy = [each for each in course if plan.crowded_at_s + SETTLED_S <= each.at_s]
    errors = sum(failed(each) for each in course if each.at_s >= plan.crowded_at_s)
    return (
        name,
        f"{calm[-1].pending:,}",
        number(median(answered(each) for each in calm)),
        number(median(p99_ms(each) for each in calm)),
        number(median(answered(each) for each in busy)),
        number(median(p99_ms(each) for each in busy)),
        number(max(p99_ms(each) for each in busy)),
        f"{errors:,}",
    )


def answered(second: Second) -> float:
    """Return how many polls got an answer about their grant."""
    return sum(count for outcome, count in second.polls.items() if outcome is not PollOutcome.ERROR)


def failed(second: Second) -> float:
    """Return how many requests had no answer: they timed out, or found no connection."""
    return sum(second.errors.values())


def p99_ms(second: Second) -> float:
    """Return the 99th percentile of the polls, 0 without any."""
    return second.poll_p99_ms or 0.0


def draw(path: Path, courses: dict[str, list[Second]], plan: Overload, title: str) -> None:
    """Draw latencies, answers and failures over time."""
    with drawing(path, 1, 3, (9, 2.6)) as axes:
        for axis, words, read in (
            (axes[0], "p99 of polls, ms", p99_ms),
            (axes[1], "polls answered in a second", answered),
            (axes[2], "requests without an answer", failed),
        ):
            for name, course in courses.items():
                times = [second.at_s for second in course]
                values = [read(second) for second in course]
                axis.plot(times, values, color=COLOURS[name], linewidth=1.2, label=name)
            axis.axvline(plan.crowded_at_s, color=INK, linewidth=0.8, linestyle=":")
            axis.set_title(words)
            axis.set_xlabel("seconds")
            axis.grid(visible=True, axis="y")
        axes[0].set_yscale("log")
        axes[1].set_ylim(bottom=0)
        axes[1].legend(fontsize=7)
        axes[0].figure.suptitle(title, x=0.01, ha="left", fontsize=10)
