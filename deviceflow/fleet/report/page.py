"""A run as one HTML page, complete in itself: no script, nothing from elsewhere."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from deviceflow.fleet.report import story
from deviceflow.fleet.report.explanations import explain
from deviceflow.fleet.report.html import Cell, document, table
from deviceflow.fleet.report.panels import Panel, panels
from deviceflow.fleet.report.words import NOTHING, clock, duration, milliseconds, number, share
from deviceflow.fleet.result import FleetResult, Operation

_BYTES_PER_MB = 1e6
_METHOD = (
    "Each request has a planned time, whatever became of the one before, and its latency counts "
    "from there. So a server that stands still does not slow the load down, and cannot hide that "
    "it stands still (coordinated omission)."
)


def as_page(result: FleetResult) -> str:
    """Return the page."""
    name = result.server or result.settings.target
    words, kind = story.verdict(result)
    notes = "".join(f"<li>{escape(note)}</li>" for note in result.notes)
    body = f"""<header>
<h1>{escape(name)}</h1>
<p class="quiet">A fleet of {number(result.scenario.devices)} devices,
{result.began:%Y-%m-%d %H:%M} UTC, {duration(result.seconds)}</p>
<p class="verdict {kind}">{escape(words)}</p>
{f'<ul class="notes">{notes}</ul>' if notes else ""}
</header>
{_objectives(result)}
<dl class="facts">{"".join(_fact(*fact) for fact in _facts(result))}</dl>
{_section("Scenario", "".join(map(_sentence, story.sentences(result))))}
{_section("Over time", _charts(panels(result)))}
{_wrong(result)}
{_errors(result)}
{_section("Machine and settings", _about(result))}
"""
    return document(f"{name}: a fleet of {number(result.scenario.devices)} devices", body)


def _objectives(result: FleetResult) -> str:
    if not result.objectives:
        return ""
    rows = [
        (
            each.title,
            story.wanted(each),
            story.measured(each),
            Cell("reached", "good") if each.is_met else Cell("not reached", "bad"),
        )
        for each in result.objectives
    ]
    head = ("objective", "wanted", "measured", "verdict")
    return _section("Objectives", table(head, rows, label="Objectives"))


def _facts(result: FleetResult) -> Iterator[tuple[str, str]]:
    polls = sum(result.polls.values())
    yield "polls", number(polls)
    yield "polls a second", number(round(polls / result.seconds)) if result.seconds else NOTHING
    if poll := result.latencies.get(Operation.POLL):
        yield "poll, p50", milliseconds(poll.p50_ms)
        yield "poll, p99", milliseconds(poll.p99_ms)
    yield "starts", number(result.starts)
    yield "tokens", number(result.tokens)
    if approval := result.latencies.get(Operation.APPROVAL_TO_TOKENS):
        yield "approval to tokens, p50", milliseconds(approval.p50_ms)
    yield "errors", number(sum(result.errors.values()))
    yield "wrong outcomes", number(sum(each.count for each in result.wrong.values()))
    memory = [each.server_memory_bytes or 0 for each in result.series]
    if any(memory):
        yield "server memory, at most", f"{number(round(max(memory) / _BYTES_PER_MB))} MB"


def _fact(name: str, value: str) -> str:
    return f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"


def _charts(found: Iterable[Panel]) -> str:
    return f'<div class="charts">{"".join(map(_chart, found))}</div>'


def _chart(panel: Panel) -> str:
    head, rows = panel.table
    figures = table(head, rows, label=f"{panel.title}, as a table")
    return f"""<figure class="card">
<figcaption><h3>{escape(panel.title)}</h3><p>{escape(panel.words)}</p></figcaption>
{panel.legend}
<div class="plot">{panel.drawing}</div>
<details><summary>{escape(panel.title)}, as a table</summary>{figures}</details>
</figure>
"""


def _wrong(result: FleetResult) -> str:
    if not result.wrong:
        return _section("Wrong outcomes", "<p>None: every answer was one that RFC 8628 allows.</p>")
    rows = [
        (Cell(kind, "", (explain(kind), each.example)), number(each.count), clock(each.first_s))
        for kind, each in sorted(result.wrong.items(), key=lambda pair: -pair[1].count)
    ]
    head = ("kind", "count", "first at")
    return _section("Wrong outcomes", table(head, rows, label="Wrong outcomes"))


def _errors(result: FleetResult) -> str:
    if not result.errors:
        return ""
    total = sum(result.errors.values())
    rows = [
        (cause, number(count), share(count, total))
        for cause, count in sorted(result.errors.items(), key=lambda pair: -pair[1])
    ]
    words = (
        "<p>Failures on the way to an answer. The device waits for its interval and goes on.</p>"
    )
    found = table(("cause", "count", "of all errors"), rows, label="Errors")
    return _section("Errors", words + found)


def _about(result: FleetResult) -> str:
    machine, settings = result.machine, result.settings
    versions = ", ".join(f"{name} {text}" for name, text in machine.versions.items())
    rows: Sequence[tuple[str, str]] = (
        ("target", settings.target),
        ("client", settings.client_id),
        ("scope", settings.scope or NOTHING),
        ("interval", _optional_s(settings.interval_s)),
        ("codes are valid for", _optional_s(settings.expires_in_s)),
        ("generator", f"deviceflow {result.version}, seed {result.scenario.seed}"),
        ("its processes", number(settings.processes)),
        ("its source addresses", number(settings.source_addresses)),
        ("its longest delay", milliseconds(max((s.late_ms for s in result.series), default=0.0))),
        ("its machine", f"{machine.cpu}, {machine.cores} cores, {machine.memory_gb:g} GB"),
        ("system", f"{machine.system}; {versions}"),
        ("how it is measured", _METHOD),
    )
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows)
    return f'<dl class="about card">{items}</dl>'


def _optional_s(seconds: float | None) -> str:
    return "the server named none" if seconds is None else duration(seconds)


def _sentence(words: str) -> str:
    """Return a sentence in which no line begins with a per cent sign."""
    return f"<p>{escape(words).replace(' %', '&nbsp;%')}</p>"


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>"
