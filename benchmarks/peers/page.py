"""The tables of docs/peers.md, and what `python -m benchmarks peers` prints."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console

from benchmarks import targets
from benchmarks.measure import Spread, spread
from benchmarks.peers.peer import Peer
from benchmarks.processes import BenchmarkError
from benchmarks.report import machine_words, put_block
from benchmarks.results import Result, Section, read
from benchmarks.tables import Row, markdown, number, show, span

DOCS = Path(__file__).parent.parent.parent / "docs" / "peers.md"
OURS = "deviceflow"
PROGRAMS = ("PostgreSQL", "Java")
SHORT_HEADS = {
    "kept": "Polls, connections kept",
    "new": "Polls, a connection each",
    "starts": "Starts of grants, connections kept",
}
HEAD = ("server", "per second", "ours : it", "CPU, us", "its CPU : ours", "CPU of its store, us")
STANDING_HEAD = (
    "server",
    "first answer, s",
    "with pending grants, s",
    "memory, MiB",
    "pending",
    "memory then, MiB",
    "its store then, MiB",
    "bytes written per start",
    "per poll",
)
SEEN_HEAD = ("server", "polls, sampled", "one grant, four polls at once", "after a restart")


def measured(result: Result) -> list[str]:
    """Return the names of the peers that were measured, in order."""
    # A key is "PEER KIND" or "PEER KIND cpu".
    return list(dict.fromkeys(section.key.partition(" ")[0] for section in result.sections))


def bests(peers: Iterable[Peer], sections: Sequence[Section]) -> dict[str, float]:
    """Return the ratios to the best peer with a durable store, as medians over the rounds."""
    by_key = {section.key: section for section in sections}
    names = [peer.name for peer in peers if peer.is_durable]
    wanted = {
        "polls/s kept: ours / best durable peer": "{} kept",
        "polls/s, a connection each: ours / best durable peer": "{} new",
        "CPU per poll kept: best durable peer / ours": "{} kept cpu",
        "starts/s: ours / best durable peer": "{} starts",
        "CPU per start: best durable peer / ours": "{} starts cpu",
    }
    best = {}
    for figure, key in wanted.items():
        found = [by_key[key.format(name)] for name in names if key.format(name) in by_key]
        if found:
            best[figure] = min(_ratio(section).median for section in found)
    return best


def _ratio(section: Section) -> Spread:
    return section.ratios[0].spread


def table(result: Result, kind: str) -> tuple[Row, list[Row]]:
    """Return the head and the rows of one kind of request: ours first, then the peers."""
    by_key = {section.key: section for section in result.sections}
    names = [name for name in measured(result) if f"{name} {kind}" in by_key]
    if not names:
        return HEAD, []
    ours = [by_key[f"{name} {kind}"].of(OURS) for name in names]
    rate = spread([value for series in ours for value in series.values])
    cpu = spread([value for series in ours for value in series.server_us])
    store = [value for series in ours for value in series.store_us]
    rows: list[Row] = [(OURS, span(rate), "1", span(cpu), "1", _median(store))]
    for name in names:
        section, costs = by_key[f"{name} {kind}"], by_key[f"{name} {kind} cpu"]
        series = section.of(name)
        rows.append(
            (
                name,
                span(series.spread),
                span(_ratio(section)),
                span(spread(series.server_us)),
                span(_ratio(costs)),
                _median(series.store_us),
            )
        )
    return HEAD, rows


def standing(result: Result) -> tuple[Row, list[Row]]:
    """Return the head and the rows of times and memory."""

    def cell(name: str, what: str) -> str:
        value = result.figures.get(f"{name}: {what}")
        return "" if value is None else number(value)

    wanted = (
        "first answer, s",
        "first answer with pending grants, s",
        "memory, MiB",
        "pending grants",
        "memory with pending grants, MiB",
        "memory of its store with pending grants, MiB",
        "bytes its store writes per start",
        "bytes its store writes per poll",
    )
    names = [OURS, *measured(result)]
    return STANDING_HEAD, [(name, *(cell(name, what) for what in wanted)) for name in names]


def seen(result: Result) -> tuple[Row, list[Row]]:
    """Return the head and the rows of what was seen of the answers."""
    found = dict(note.rsplit(": ", 1) for note in result.notes if ": " in note)
    wanted = ("polls", "one grant polled at once", "a grant after a restart")
    names = [OURS, *measured(result)]
    rows: list[Row] = [
        (name, *(found.get(f"{name}: {what}", "") for what in wanted)) for name in names
    ]
    return SEEN_HEAD, rows


def show_all(console: Console, result: Result) -> None:
    """Print all tables."""
    for kind, title in SHORT_HEADS.items():
        show(console, title, *table(result, kind))
    show(console, "Start and memory", *standing(result))
    show(console, "Answers", *seen(result))
    show(console, "Targets", targets.HEAD, targets.rows({"peers": result}))


def write_docs(folder: Path, peers: Iterable[Peer], docs: Path = DOCS) -> None:
    """Write the figures of `folder` and what `peers` are into `docs`. May raise BenchmarkError."""
    result = read("peers", folder)
    if result is None:
        raise BenchmarkError("there are no results yet: run `python -m benchmarks peers`")
    put_block(f"{block(result)}\n\n{described(peers)}", docs)


def described(peers: Iterable[Peer]) -> str:
    """Say of each peer what it is, and how it was set up."""
    parts = ["## The servers"]
    for peer in peers:
        parts.append(f"**{peer.title}**, version {peer.version}, {peer.licence}. {peer.made_for}")
        parts.append(
            f"- Store: {peer.store}.\n- A poll: {peer.per_poll}\n- Settings: {peer.settings}."
        )
    return "\n\n".join(parts)


def block(result: Result) -> str:
    """Return the figures as Markdown."""
    programs = (f"{name} {result.parameters.get(name, 'not there')}" for name in PROGRAMS)
    load = result.parameters.get("load average", "unknown")
    words = f"{machine_words(result)} {', '.join(programs)}. Load average at the start: {load}."
    parts = [words, markdown(targets.HEAD, targets.rows({"peers": result}))]
    for kind, title in SHORT_HEADS.items():
        parts += [f"### {title}", markdown(*table(result, kind))]
    parts += ["### Start and memory", markdown(*standing(result))]
    parts += ["### Answers, noticed in passing", markdown(*seen(result))]
    left_out = [
        f"- {note}" for note in result.notes if "not measured:" in note or "given up" in note
    ]
    parts += ["\n".join(left_out)] if left_out else []
    return "\n\n".join(parts)


def _median(values: Sequence[float]) -> str:
    return number(spread(values).median) if values else "0"
