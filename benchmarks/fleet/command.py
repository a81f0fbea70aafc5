"""`python -m benchmarks fleet`."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import click
import msgspec
from rich.console import Console

from benchmarks import fleet
from benchmarks.faults import SETTLE_S
from benchmarks.faults.kinds import FAULTS
from benchmarks.faults.stages import WORKERS, Settings
from benchmarks.fleet.faulting import PlannedFault, read_fault
from benchmarks.processes import BenchmarkError
from benchmarks.results import FOLDER
from deviceflow.fleet.arrivals import ARRIVALS
from deviceflow.fleet.limits import LimitError
from deviceflow.fleet.objectives import Wanted, default_objectives, read_objective
from deviceflow.fleet.progress import watching
from deviceflow.fleet.report.page import as_page
from deviceflow.fleet.report.terminal import show
from deviceflow.fleet.result import FleetResult, People, Scenario, as_json
from deviceflow.fleet.styles import STYLES, read_weights

NOT_REACHED = 1
SEED = 8628
PEOPLE = {"approve": 0.9, "deny": 0.05, "walk_away": 0.05, "sigma": 0.6}


class Words(click.ParamType[object]):
    """An option whose words a function reads; it raises ValueError if they are wrong."""

    def __init__(self, name: str, read: Callable[[str], object]) -> None:
        self.name, self._read = name, read

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> object:
        """Read the words."""
        try:
            return self._read(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command("fleet")
@click.option("--devices", default=20_000, show_default=True, type=click.IntRange(1, 200_000))
@click.option(
    "--seconds", default=120, show_default=True, type=click.IntRange(5), help="Length of the run."
)
@click.option(
    "--interval",
    default=5,
    show_default=True,
    type=click.IntRange(1, 60),
    help="The interval that the server names, in s.",
)
@click.option("--workers", default=WORKERS, show_default=True, type=click.IntRange(1, 64))
@click.option("--arrival", default="steady", show_default=True, type=click.Choice([*ARRIVALS]))
@click.option(
    "--ramp", type=click.FloatRange(1), help="Within how many seconds a steady fleet begins."
)
@click.option(
    "--style",
    "styles",
    multiple=True,
    metavar="NAME=WEIGHT",
    help=f"How devices poll, of {', '.join(STYLES)}; may be repeated.",
)
@click.option(
    "--decide-after",
    default=60.0,
    show_default=True,
    type=click.FloatRange(1, 3600),
    help="The median time until a person decides, in s.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    type=Words("NAME@SECONDS", read_fault),
    help="A fault, and when it happens; may be repeated. "
    + "; ".join(f"{fault.name}: {fault.title}" for fault in FAULTS)
    + ".",
)
@click.option(
    "--objective",
    "objectives",
    multiple=True,
    type=Words("OBJECTIVE", read_objective),
    help="What has to hold, such as 'poll p99 < 50 ms'; may be repeated.",
)
@click.option("--processes", type=click.IntRange(1, 64), help="Of the fleet.")
@click.option("--name", default="fleet", show_default=True, help="Of the files with the results.")
@click.option("--results", default=FOLDER, type=click.Path(file_okay=False, path_type=Path))
def fleet_command(
    devices: int,
    seconds: int,
    interval: int,
    workers: int,
    arrival: str,
    ramp: float | None,
    styles: tuple[str, ...],
    decide_after: float,
    faults: tuple[PlannedFault, ...],
    objectives: tuple[Wanted, ...],
    processes: int | None,
    name: str,
    results: Path,
) -> None:
    """Let a fleet poll this server, and faults happen meanwhile. Writes JSON and an HTML page.

    Exit status 1 if an objective is not reached.
    """
    asked = Scenario(
        devices=devices,
        arrival=arrival,
        seconds=float(seconds),
        styles=_styles(styles),
        people=People(by="admin", median_s=decide_after, **PEOPLE),
        seed=SEED,
        ramp_s=ramp,
    )
    scenario = msgspec.structs.replace(asked, known_within_s=SETTLE_S) if faults else asked
    load = fleet.Load(
        scenario=scenario,
        faults=faults,
        wanted=objectives or default_objectives(has_faults=bool(faults)),
        processes=processes,
        server=Settings(workers=workers, interval_s=interval),
    )
    result = _run(load)
    results.mkdir(parents=True, exist_ok=True)
    (results / f"{name}.json").write_bytes(as_json(result))
    (results / f"{name}.html").write_text(as_page(result), encoding="utf-8")
    show(Console(), result)
    if not result.is_passed:
        raise SystemExit(NOT_REACHED)


def _styles(words: Sequence[str]) -> dict[str, float]:
    try:
        return read_weights(words)
    except ValueError as error:
        raise click.UsageError(f"--style: {error}") from error


def _run(load: fleet.Load) -> FleetResult:
    # The path of a Unix socket must be short.
    with (
        tempfile.TemporaryDirectory(prefix="df-") as folder,
        watching(load.scenario.seconds) as watch,
    ):
        try:
            return fleet.run(Path(folder), load, watch)
        except (BenchmarkError, LimitError, ValueError) as error:
            raise click.ClickException(str(error)) from error
