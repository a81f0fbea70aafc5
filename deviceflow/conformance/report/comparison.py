"""The JSON reports of several servers side by side, as a page of Markdown."""

from collections.abc import Sequence
from typing import Any

import msgspec

_SIGNS = {
    "pass": "yes",
    "fail": "**no**",
    "warning": "no",
    "not applicable": "·",
    "could not be judged": "?",
}


class ReportedCheck(msgspec.Struct, frozen=True, kw_only=True):
    """One check of a report."""

    id: str
    clause: str
    level: str
    title: str
    judgement: str
    reason: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a comparison reads of a JSON report."""

    server: str
    profile: str
    began: str
    counts: dict[str, int]
    checks: list[ReportedCheck]


def read_report(text: bytes) -> Report:
    """Read a report. May raise ValueError."""
    try:
        return msgspec.json.decode(text, type=Report)
    except msgspec.DecodeError as error:
        raise ValueError(f"this is no report of `deviceflow conform --json`: {error}") from error


def without_exchanges(text: bytes) -> bytes:
    """Return a JSON report without what was sent and received: small enough to keep."""
    report: dict[str, Any] = msgspec.json.decode(text)
    for check in report["checks"]:
        check.pop("exchanges", None)
    short: bytes = msgspec.json.format(msgspec.json.encode(report), indent=1)
    return short + b"\n"


def as_markdown(reports: Sequence[Report]) -> str:
    """Return two tables: the checks by server, and each deviation with its reason."""
    by_server = [{check.id: check for check in report.checks} for report in reports]
    known = {check.id: check for report in reports for check in report.checks}
    head = ["check", "clause", *(report.server for report in reports)]
    lines = [_row(head), _row(["---"] * len(head))]
    for check_id, check in known.items():
        found = [checks.get(check_id) for checks in by_server]
        signs = [_SIGNS[each.judgement] if each else "" for each in found]
        lines.append(_row([check.title, f"{check.clause} {check.level}", *signs]))
    totals = [_totals(report) for report in reports]
    lines += [_row(["", "passed", *totals]), ""]
    for report in reports:
        lines += _deviations(report)
    return "\n".join(lines) + "\n"


def _totals(report: Report) -> str:
    judged = sum(report.counts.get(each, 0) for each in ("pass", "fail", "warning"))
    return f"{report.counts.get('pass', 0)} of {judged}"


def _deviations(report: Report) -> list[str]:
    wrong = [each for each in report.checks if each.judgement in {"fail", "warning"}]
    lines = [f"## {report.server}", ""]
    if not wrong:
        return [*lines, "No deviation was found.", ""]
    items = [f"- {each.clause} ({each.level}), {each.title}: {each.reason}." for each in wrong]
    return [*lines, *items, ""]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
