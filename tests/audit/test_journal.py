"""What a room records, and the line that it becomes."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog

from deviceflow.audit.chain import read_line
from deviceflow.audit.events import SecurityEvent
from deviceflow.audit.journal import Audit
from deviceflow.audit.outlet import Outlet
from deviceflow.audit.thinning import LINES_PER_WINDOW
from deviceflow.audit.verification import Verification
from deviceflow.ops.metrics.recorder import Recorder
from tests.stage.clock import Clock
from tests.stage.metrics import numbers

RECORDED = 'deviceflow_audit_events_total{outcome="recorded"}'
LEFT_OUT = 'deviceflow_audit_events_total{outcome="left_out"}'


class Kept:
    """A sink that keeps its lines."""

    name = "file"

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        yield

    async def write(self, lines: Sequence[bytes]) -> None:
        self.lines += lines


@pytest.fixture
def audit(clock: Clock) -> Audit:
    return Audit(recorder=Recorder.alone(), clock=clock, steady=clock)


def newest(audit: Audit) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(audit.recent[-1])
    return line


def test_a_line_says_what_happened(audit: Audit, clock: Clock) -> None:
    clock.now = 1_800_000_000.25
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        audit.record(SecurityEvent.SIGN_IN_FAILED, outcome="failure", way="password", sub="ada")
    line = newest(audit)
    assert line.pop("chain").count("-") == 2
    assert len(line.pop("hash")) == 43
    assert line == {
        "time": "2027-01-15T08:00:00.250Z",
        "event": "sign_in.failed",
        "outcome": "failure",
        "way": "password",
        "sub": "ada",
        "request_id": "r1",
        "sequence": 1,
    }


def test_a_success_is_not_spelled_out(audit: Audit) -> None:
    audit.record(SecurityEvent.SERVER_CHANGED, outcome="success", reason="")
    assert newest(audit).keys().isdisjoint({"outcome", "reason"})


def test_texts_that_strangers_send_fit_into_a_line(audit: Audit) -> None:
    audit.record(SecurityEvent.CLIENT_REFUSED, client_id="\ud800" + '"\n' * 5000)
    text = audit.recent[-1]
    assert text.count(b"\n") == 1
    assert len(text) < 1000
    read = read_line(text.removesuffix(b"\n"))
    assert read is not None
    assert read.is_sound


async def test_a_chain_has_a_start_and_an_end(audit: Audit) -> None:
    sink = Kept()
    outlet = Outlet(sink=sink, recorder=audit.recorder)
    async with audit.open([outlet], follows="x:3"):
        audit.record(SecurityEvent.GRANT_APPROVED, sub="ada")
    verification = Verification()
    verification.read("f", sink.lines)
    assert [problem.text for problem in verification.problems()] == [
        "follows line 3 of chain x, which is not here"
    ]
    events = [json.loads(line)["event"] for line in sink.lines]
    assert events == ["chain.started", "grant.approved", "chain.ended"]
    first = json.loads(sink.lines[0])
    assert first.keys() >= {"version", "process", "host", "follows"}


def test_a_flood_is_summed_up(audit: Audit) -> None:
    for _ in range(LINES_PER_WINDOW + 5):
        audit.record(SecurityEvent.LIMIT_REFUSED, outcome="failure", limit="code.address")
    audit.record(SecurityEvent.LIMIT_REFUSED, outcome="failure", limit="sign-in.address")
    assert newest(audit)["limit"] == "sign-in.address"
    audit.sum_up()
    line = newest(audit)
    assert (line["event"], line["of"], line["limit"], line["left_out"]) == (
        *("audit.left_out", "limit.refused", "code.address"),
        5,
    )
    counts = numbers(audit.recorder)
    assert (counts[RECORDED], counts[LEFT_OUT]) == (LINES_PER_WINDOW + 2, 5)


def test_what_needs_an_account_is_never_left_out(audit: Audit) -> None:
    for _ in range(LINES_PER_WINDOW + 5):
        audit.record(SecurityEvent.GRANT_APPROVED, sub="ada")
    audit.sum_up()
    assert newest(audit)["event"] == "grant.approved"


def test_each_process_has_a_chain_of_its_own(clock: Clock) -> None:
    audits = [Audit(recorder=Recorder.alone(), clock=clock, steady=clock) for _ in range(2)]
    for audit in audits:
        audit.record(SecurityEvent.GRANT_APPROVED)
    assert len({newest(audit)["chain"] for audit in audits}) == 2
