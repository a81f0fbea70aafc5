"""`holding`: what it costs and gains to hold the polls of devices that do not ask for it.

Four servers, each with a store of its own and another `device.hold_s`, have as many devices each
(`ordinary.py`), all in the same seconds: so every ratio is between servers that had the same
noise. First the devices poll for some time, and the servers' CPU time and polls are read at its
two ends. The CPU time that the idle server takes is subtracted. Then some of the grants are
approved, at random times. The latency is from the decision in the store to the tokens at the
device.

The four ways: connections kept or one for each poll, directly or behind nginx with TLS. nginx runs
the file that is shipped (config/proxies/nginx.conf), with one host.

What one poll costs is measured apart, where there are enough of them: two servers have as many
devices, each with a poll a second. One holds each poll for that second; at the other one, the
devices wait. The figures of the fleet above are of servers that mostly sleep, so their CPU time
is small beside that of an idle server, and noisy.

The memory of a device is the difference between twice as many devices and so many, on kept
connections, divided by their number: so what the first devices make the process allocate once is
left out.
"""

import asyncio
from collections.abc import Sequence

import uvloop

from benchmarks import plots, targets
from benchmarks.devices import allow_files
from benchmarks.holding_apart import measure_apart
from benchmarks.holding_fleets import Row, measure
from benchmarks.holding_sites import HOLDS_S, KEPT, WAYS, sites_of
from benchmarks.ordinary import INTERVAL_S
from benchmarks.results import Result
from benchmarks.run import Run
from benchmarks.tables import number, show

DEVICES = 1_000
APPROVALS = 120
SECONDS = 50


def run(
    run: Run, ways: Sequence[str], devices: int = DEVICES, approvals: int = APPROVALS
) -> Result:
    """Measure the ways with these names. May raise BenchmarkError."""
    # A device behind nginx takes a file here and two at nginx.
    allow_files(2 * devices * len(HOLDS_S))
    figures: dict[str, float] = {}
    panels: list[tuple[str, list[Row]]] = []
    seconds = round(run.turns.seconds)
    for way in (way for way in WAYS if way.name in ways):
        with (
            run.screen.steps(way.name, seconds) as steps,
            sites_of(run, way, devices) as sites,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            rows = runner.run(measure(sites, seconds, approvals, steps))
        show(run.screen.console, f"{devices:,} devices, {way.name}", HEAD, [*map(_shown, rows)])
        panels.append((way.name, rows))
        for row in rows:
            named = f"{way.name}, hold {row.hold_s}"
            figures |= {f"{named}: {name}": value for name, value in row._asdict().items()}
            figures[f"{named}: p50 / hold 0 p50"] = row.p50_ms / rows[0].p50_ms
    if KEPT.name in ways:
        apart = measure_apart(run, devices)
        values = [(name, number(value)) for name, value in apart.items()]
        show(run.screen.console, "Measured apart", ("", "value"), values)
        figures |= apart
    parameters: dict[str, float | int | str] = {
        "devices": devices,
        "approvals": approvals,
        "interval_s": INTERVAL_S,
    }
    result = run.collect("holding", [], figures, parameters)
    if reached := targets.rows({"holding": result}):
        show(run.screen.console, "Targets", targets.HEAD, reached)
    run.keep(result)
    plots.holding(run.results / "holding.svg", panels)
    return result


HEAD = (
    "hold, s", "polls a minute", "server CPU, us", "nginx CPU, us", "p50, ms", "p95, ms",
    "mean, ms",
)  # fmt: skip


def _shown(row: Row) -> tuple[str, ...]:
    return (str(row.hold_s), *(number(value) for value in row[1:]))
