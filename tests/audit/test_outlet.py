"""The queue of a sink: nothing waits for it, what fails is sent again, what is lost is said."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from structlog.testing import capture_logs

from deviceflow.audit import outlet as outlets
from deviceflow.audit.events import SecurityEvent
from deviceflow.audit.outlet import AUDIT_PAUSES_S, GATHER_S, LinesNotWritten, Outlet
from deviceflow.ops.metrics.recorder import Recorder
from tests.stage.metrics import numbers
from tests.stage.waiting import until

EVENT = SecurityEvent.GRANT_APPROVED
LOST = 'deviceflow_audit_lines_total{outcome="lost",sink="file"}'
WRITTEN = 'deviceflow_audit_lines_total{outcome="written",sink="file"}'


@dataclass
class FakeSink:
    """Fails as often as `failures` has an error, and stands still while `is_stuck`."""

    failures: list[Exception] = field(default_factory=list)
    is_stuck: bool = False
    written: list[bytes] = field(default_factory=list)
    tries: int = 0
    name: str = "file"

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        yield

    async def write(self, lines: Sequence[bytes]) -> None:
        self.tries += 1
        if self.is_stuck:
            await asyncio.Event().wait()
        if self.failures:
            raise self.failures.pop(0)
        self.written += lines


class Stage:
    """A queue with its sink, the pauses that it made, and the losses that it said."""

    def __init__(self) -> None:
        self.sink = FakeSink()
        self.pauses: list[float] = []
        self.losses: list[tuple[str, int]] = []
        self.recorder = Recorder.alone()
        self.outlet = Outlet(sink=self.sink, recorder=self.recorder, sleep=self.pause)

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)

    def lost(self, sink: str, number: int) -> None:
        self.losses.append((sink, number))

    def number(self, series: str) -> float:
        return numbers(self.recorder)[series]


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(outlets, "AUDIT_SEND_ON_S", 0.05)
    return Stage()


async def test_lines_are_written_in_their_order(stage: Stage) -> None:
    lines = [b"%d\n" % i for i in range(1200)]
    async with stage.outlet.open(stage.lost):
        for line in lines:
            stage.outlet.put(EVENT, line)
        await until(lambda: stage.sink.written == lines)
        assert stage.sink.tries == 3
    assert stage.number(WRITTEN) == 1200
    assert stage.losses == []


async def test_a_sink_of_some_events_gets_their_lines_one_by_one(stage: Stage) -> None:
    """Others take no place in its queue, and it does not wait for more."""
    stage.outlet = replace(stage.outlet, events={EVENT}, batch_lines=1)
    async with stage.outlet.open(stage.lost):
        for event in (EVENT, SecurityEvent.GRANT_STARTED, EVENT):
            stage.outlet.put(event, event.encode())
        await until(lambda: len(stage.sink.written) == 2)
    assert stage.sink.written == [EVENT.encode()] * 2
    assert stage.sink.tries == 2
    assert GATHER_S not in stage.pauses


async def test_the_end_waits_for_the_rest(stage: Stage) -> None:
    async with stage.outlet.open(stage.lost):
        stage.outlet.put(EVENT, b"last\n")
    assert stage.sink.written == [b"last\n"]


async def test_what_fails_is_written_again_and_logged_once(stage: Stage) -> None:
    stage.sink.failures = [LinesNotWritten("no space"), ValueError("odd"), LinesNotWritten("no")]
    with capture_logs() as logs:
        async with stage.outlet.open(stage.lost):
            stage.outlet.put(EVENT, b"line\n")
            await until(lambda: bool(stage.sink.written))
    assert stage.pauses[:4] == [GATHER_S, *AUDIT_PAUSES_S[:3]]
    assert [log["event"] for log in logs] == ["audit.not_written", "audit.written_again"]
    assert logs[0]["reason"] == "no space"
    assert stage.losses == []


async def test_what_a_sink_refuses_for_good_is_lost_and_said(stage: Stage) -> None:
    stage.sink.failures = [LinesNotWritten("status 413", is_final=True)]
    async with stage.outlet.open(stage.lost):
        stage.outlet.put(EVENT, b"large\n")
        await until(lambda: stage.losses == [("file", 1)])
        stage.outlet.put(EVENT, b"next\n")
        await until(lambda: stage.sink.written == [b"next\n"])
    assert stage.number(LOST) == 1


async def test_a_full_queue_loses_new_lines_and_says_so_later(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlets, "WAITING_LINES", 3)
    for i in range(5):
        stage.outlet.put(EVENT, b"%d\n" % i)
    async with stage.outlet.open(stage.lost):
        await until(lambda: stage.losses == [("file", 2)])
    assert stage.sink.written == [b"0\n", b"1\n", b"2\n"]
    assert stage.number(LOST) == 2


async def test_a_sink_that_stands_still_does_not_hold_up_the_end(stage: Stage) -> None:
    stage.sink.is_stuck = True
    with capture_logs() as logs:
        async with stage.outlet.open(stage.lost):
            stage.outlet.put(EVENT, b"line\n")
            await until(lambda: stage.sink.tries == 1)
    assert logs == [
        {"event": "audit.lost", "log_level": "warning", "sink": "file", "lines": 1},
    ]
