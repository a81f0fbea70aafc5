"""One picture of a run: CPU per poll and per start, and polls per second, of all servers."""

from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import plots
from benchmarks.measure import spread
from benchmarks.peers import page
from benchmarks.results import Result
from benchmarks.tables import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANELS = (
    ("kept", "server_us", "CPU of the server per poll, connections kept, us"),
    ("starts", "server_us", "CPU of the server per start, us"),
    ("kept", "values", "Polls/s of one core, connections kept"),
    ("starts", "values", "Starts/s of one core"),
)


def draw(result: Result, path: Path) -> None:
    """Draw four panels on a logarithmic axis: a bar for each server's median."""
    height = 0.3 * (len(page.measured(result)) + 1) + 0.7
    with plots.drawing(path, 2, 2, (9, 2 * height)) as axes:
        for axis, (kind, what, title) in zip(axes, PANELS, strict=True):
            values = medians(result, kind, what)
            if values:
                _panel(axis, values, title)


def medians(result: Result, kind: str, what: str) -> dict[str, float]:
    """Return the median of each server. `what`: a field of Series."""
    ours: list[float] = []
    found = {page.OURS: 0.0}
    for name in page.measured(result):
        section = result.section(f"{name} {kind}")
        if section is not None:
            ours += getattr(section.of(page.OURS), what)
            found[name] = spread(getattr(section.of(name), what)).median
    return found | {page.OURS: spread(ours).median} if ours else {}


def _panel(axis: "Axes", values: dict[str, float], title: str) -> None:
    for place, (name, value) in enumerate(values.items()):
        axis.barh(place, value, color=plots.colour(name), height=0.68)
        axis.annotate(
            number(value),
            (value, place),
            xytext=(4, 0),
            textcoords="offset points",
            verticalalignment="center",
            fontsize=8,
        )
    axis.set_xscale("log")
    axis.set_xlim(min(values.values()) / 2, max(values.values()) * 4)
    axis.set_yticks(range(len(values)), list(values))
    axis.invert_yaxis()
    axis.set_title(title)
