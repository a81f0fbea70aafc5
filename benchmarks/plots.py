"""Plots: the same light style for all, readable at the width of a page."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.results import Result, Section, Series
from benchmarks.tables import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from benchmarks.holding_fleets import Row

OURS, OURS_LIGHT, THEIRS, THEIRS_LIGHT = "#1f6feb", "#9cc3f8", "#6e7781", "#b9c0c7"
BAD = "#cf222e"
INK, FAINT = "#24292f", "#d8dee4"
COLOURS = {
    "lane": OURS,
    "lane off": OURS_LIGHT,
    "plain aiohttp": THEIRS,
    "nginx constant": THEIRS_LIGHT,
}

STYLE = {
    "axes.edgecolor": FAINT,
    "axes.grid": True,
    "axes.grid.axis": "x",
    "axes.axisbelow": True,
    "axes.labelcolor": INK,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "grid.color": FAINT,
    "legend.frameon": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "deviceflow",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "ytick.left": False,
}


def colour(competitor: str) -> str:
    """Return the colour of a competitor: blue for deviceflow, grey for the others."""
    ours = OURS if competitor == "deviceflow" else OURS_LIGHT
    return COLOURS.get(competitor, ours if competitor.startswith("deviceflow") else THEIRS)


@contextmanager
def drawing(
    path: Path, rows: int, columns: int, size: tuple[float, float]
) -> Iterator[list["Axes"]]:
    """Give the axes of one picture, and write it to `path` as SVG at the end."""
    # Half a second, which a measurement and its tests need not wait for.
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    path.parent.mkdir(parents=True, exist_ok=True)
    with plt.rc_context(STYLE):  # type: ignore[arg-type]
        figure, axes = plt.subplots(
            rows, columns, figsize=size, squeeze=False, layout="constrained"
        )
        yield list(axes.flat)
        # Without the date, the same figures give the same file.
        figure.savefig(path, format="svg", metadata={"Date": None})
        plt.close(figure)


def polling(result: Result, folder: Path) -> None:
    """Draw the polls per second of every competitor, with a panel for every mode."""
    modes = [section for section in result.sections if section.key != "scale"]
    rows = (len(modes) + 1) // 2
    columns = 1 if len(modes) == 1 else 2
    with drawing(folder / "polling.svg", rows, columns, (9, 1.9 * rows)) as axes:
        for axis, section in zip(axes, modes, strict=False):
            bars(axis, section)


def bars(axis: "Axes", section: Section) -> None:
    """Draw a bar for each competitor's median, and a line from its slowest to its fastest round."""
    for place, series in enumerate(section.series):
        measured = series.spread
        axis.barh(place, measured.median, color=colour(series.competitor), height=0.68)
        axis.plot((measured.low, measured.high), (place, place), color=INK, linewidth=1)
        axis.annotate(
            _bar_words(section, series),
            (measured.high, place),
            xytext=(5, 0),
            textcoords="offset points",
            verticalalignment="center",
            fontsize=8,
        )
    axis.set_yticks(range(len(section.series)), [series.competitor for series in section.series])
    axis.invert_yaxis()
    axis.set_title(f"{section.title.partition(': ')[2] or section.title} ({section.unit})")
    axis.set_xlim(0, max(series.spread.high for series in section.series) * 1.6)
    axis.locator_params(axis="x", nbins=5)
    axis.xaxis.set_major_formatter(lambda value, _: number(value))


def _bar_words(section: Section, series: Series) -> str:
    text = number(series.spread.median)
    for ratio in section.ratios:
        if ratio.other == series.competitor:
            text += f"   {ratio.competitor} is {number(ratio.spread.median)}x"
    return text


def percentiles(
    path: Path, groups: Sequence[tuple[str, dict[str, dict[str, float]]]], unit: str
) -> None:
    """Draw latencies: a panel per group, and a row of dots (p50, p99, max) per competitor."""
    with drawing(path, 1, len(groups), (9, 2.3)) as axes:
        for axis, (title, rows) in zip(axes, groups, strict=True):
            for place, (name, marks) in enumerate(rows.items()):
                shade = OURS if name.startswith("held") else THEIRS
                values = list(marks.values())
                axis.plot(values, [place] * len(values), color=FAINT, linewidth=3, zorder=1)
                for mark, value in marks.items():
                    axis.plot(value, place, "o", color=shade, markersize=6)
                    axis.annotate(
                        f"{mark} {number(value)}",
                        (value, place),
                        xytext=(0, -13 if mark == "max" else 7),
                        textcoords="offset points",
                        horizontalalignment="center",
                        fontsize=7,
                    )
            axis.set_xscale("log")
            axis.set_yticks(range(len(rows)), list(rows) if axis is axes[0] else [""] * len(rows))
            axis.set_ylim(len(rows) - 0.5, -0.7)
            axis.set_title(title)
            axis.set_xlabel(unit)


def holding(path: Path, panels: Sequence[tuple[str, Sequence["Row"]]]) -> None:
    """Draw a row of pictures for each way: latency, polls and nginx's CPU time by the hold."""
    with drawing(path, len(panels), 3, (9, 1.7 * len(panels))) as axes:
        for place, (name, rows) in enumerate(panels):
            holds = [str(row.hold_s) for row in rows]
            latency, polls, cpu = axes[3 * place : 3 * place + 3]
            latency.bar(holds, [row.p95_ms / 1000 for row in rows], color=OURS_LIGHT, label="p95")
            latency.bar(holds, [row.p50_ms / 1000 for row in rows], color=OURS, label="p50")
            polls.bar(holds, [row.polls for row in rows], color=OURS)
            # That of the server is lost in what it takes when it is idle (benchmarks/holding.py).
            cpu.bar(holds, [row.proxy_us / 1000 for row in rows], color=THEIRS_LIGHT)
            latency.set_ylabel(name.replace(", ", ",\n"), fontsize=8)
            for axis in (latency, polls, cpu):
                axis.grid(visible=False, axis="x")
                axis.grid(visible=True, axis="y")
            if place == 0:
                latency.set_title("approval to tokens, s")
                polls.set_title("polls a minute")
                cpu.set_title("CPU of nginx a minute, ms")
                latency.legend(fontsize=7)
        for axis in axes[-3:]:
            axis.set_xlabel("hold, s")


def columns(path: Path, section: Section) -> None:
    """Draw one section as bars."""
    with drawing(path, 1, 1, (9, 0.55 * len(section.series) + 0.8)) as axes:
        bars(axes[0], section)


def limits(path: Path, rows: Sequence[tuple[str, float, float]], unit: str) -> None:
    """Draw figures, each with the limit that it must not exceed."""
    with drawing(path, 1, 1, (9, 0.5 * len(rows) + 0.9)) as axes:
        axis = axes[0]
        for place, (_, value, limit) in enumerate(rows):
            axis.barh(place, value, color=OURS, height=0.55)
            axis.plot((limit, limit), (place - 0.4, place + 0.4), color=BAD, linewidth=1.5)
            axis.annotate(
                f"{number(value)} (limit {number(limit)})",
                (max(value, limit), place),
                xytext=(5, 0),
                textcoords="offset points",
                verticalalignment="center",
                fontsize=8,
            )
        axis.set_yticks(range(len(rows)), [name for name, _, _ in rows])
        axis.invert_yaxis()
        axis.set_xlim(0, max(max(value, limit) for _, value, limit in rows) * 1.3)
        axis.set_title(unit)


def timeline(path: Path, title: str, counts: Sequence[tuple[float, int]], killed_at: float) -> None:
    """Draw answers over time, and the moment at which a worker was killed."""
    with drawing(path, 1, 1, (9, 2.4)) as axes:
        axis = axes[0]
        axis.grid(visible=True, axis="y")
        axis.fill_between(
            [at for at, _ in counts], [count for _, count in counts], color=OURS, step="post"
        )
        axis.axvline(killed_at, color=BAD, linewidth=1.5)
        axis.annotate(
            "killed",
            (killed_at, 1),
            xycoords=("data", "axes fraction"),
            xytext=(4, -9),
            textcoords="offset points",
            color=BAD,
            fontsize=8,
        )
        axis.set_title(title)
        axis.set_xlabel("seconds")
        axis.set_ylim(bottom=0)
