"""Whole runs over real connections: against a small server, in this process and in several."""

import asyncio
from datetime import UTC, datetime
from itertools import count

import msgspec
import pytest
from aiohttp import web

from deviceflow.device.errors import UnreachableError
from deviceflow.fleet.plan import needs_of
from deviceflow.fleet.process import ProcessEndedError
from deviceflow.fleet.record import Record, ServerUse, result_of
from deviceflow.fleet.result import (
    FleetResult,
    Operation,
    PollOutcome,
    Second,
    as_json,
    read_result,
)
from deviceflow.fleet.run import run_fleet
from deviceflow.fleet.tally import Tick
from deviceflow.fleet.verdict import WrongKind
from tests.stage.small_server import INTERVAL_S, serving


class UntilAllAreDone:
    """Ends a run when all devices have gone away."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.seen: list[Second] = []

    def __call__(self, second: Second) -> None:
        self.seen.append(second)
        if second.devices == 0 and sum(each.starts for each in self.seen) == 30:
            self.stop.set()


def check(result: FleetResult) -> None:
    """Check a run in which everything is right."""
    assert (result.errors, result.wrong) == ({}, {})
    assert (result.starts, result.tokens + result.polls[PollOutcome.DENIED]) == (30, 30)
    assert (result.approvals, result.denials) == (
        result.tokens,
        result.polls[PollOutcome.DENIED],
    )
    assert sum(second.tokens for second in result.series) == result.tokens
    assert [second.at_s for second in result.series] == [*range(len(result.series))]
    assert result.series[-1].devices == 0
    assert result.latencies[Operation.CONNECT].count > 30
    assert result.latencies[Operation.START].count == 30
    assert (result.settings.interval_s, result.settings.expires_in_s) == (INTERVAL_S, 600)
    assert read_result(as_json(result)) == result


async def test_a_run_in_this_process() -> None:
    watch, used = UntilAllAreDone(), count()
    async with serving() as (small, plan):
        several = msgspec.structs.replace(plan, sources=("127.0.0.2", "127.0.0.3"))
        probe = lambda: ServerUse(cpu_s=float(next(used)), memory_bytes=7)  # noqa: E731
        result = await run_fleet(several, watch, stop=watch.stop, probe=probe)
    check(result)
    assert watch.seen == result.series
    assert {(each.server_cpu_s, each.server_memory_bytes) for each in watch.seen} == {(1.0, 7)}
    assert small.addresses == {"127.0.0.2", "127.0.0.3"}


async def test_a_run_in_two_processes() -> None:
    watch = UntilAllAreDone()
    async with serving() as (_, plan):
        two = msgspec.structs.replace(plan, processes=2)
        result = await run_fleet(two, watch, stop=watch.stop)
    check(result)
    assert result.settings.processes == 2


async def test_a_run_that_is_stopped_has_a_result_so_far() -> None:
    stop = asyncio.Event()

    def watch(second: Second) -> None:
        if second.starts:
            stop.set()

    async with serving() as (_, plan):
        result = await run_fleet(plan, watch, stop=stop)
    assert not result.is_complete
    assert result.starts > 0


async def test_a_server_that_lies_is_counted() -> None:
    stop = asyncio.Event()

    def watch(second: Second) -> None:
        if second.wrong:
            stop.set()

    async with serving() as (small, plan):
        small.lie = lambda: web.Response(text="<html>", content_type="text/html", status=404)
        result = await run_fleet(plan, watch, stop=stop)
    assert list(result.wrong) == [WrongKind.MALFORMED]
    assert result.wrong[WrongKind.MALFORMED].count > 0
    assert "HTTP 404, 6 bytes" in result.wrong[WrongKind.MALFORMED].example


async def test_a_server_that_is_not_there() -> None:
    async with serving() as (_, plan):
        pass
    brief = msgspec.structs.replace(plan.scenario, seconds=0.5)
    result = await run_fleet(msgspec.structs.replace(plan, scenario=brief), lambda _: None)
    assert list(result.errors) == ["connection refused"]
    assert (result.starts, result.is_complete) == (0, True)


async def test_a_name_that_is_not_known() -> None:
    async with serving() as (_, plan):
        elsewhere = msgspec.structs.replace(plan.endpoints, token="https://nowhere.invalid/token")
        with pytest.raises(UnreachableError, match=r"nowhere\.invalid"):
            await run_fleet(msgspec.structs.replace(plan, endpoints=elsewhere), lambda _: None)


async def test_a_process_that_cannot_go_on_says_why(capfd: pytest.CaptureFixture[str]) -> None:
    async with serving() as (_, plan):
        endpoints = msgspec.structs.replace(plan.endpoints, token="http://198.51.100.1/token")
        two = msgspec.structs.replace(plan, endpoints=endpoints, processes=2)
        with pytest.raises(ProcessEndedError, match=r"The token endpoint .* is not encrypted"):
            await run_fleet(two, lambda _: None)
    assert capfd.readouterr().err == ""


async def test_a_process_that_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    async with serving() as (_, plan):
        two = msgspec.structs.replace(plan, processes=2)
        with pytest.raises(ProcessEndedError, match="cannot be started: No such file"):
            await run_fleet(two, lambda _: None)


async def test_notes_say_what_limits_the_figures() -> None:
    async with serving() as (_, plan):
        pass
    plan = msgspec.structs.replace(
        plan, scenario=msgspec.structs.replace(plan.scenario, refreshers=5)
    )
    record = Record(1, lambda _: None)
    record.add(Tick(events={"starts": 3, "tokens": 1}, interval_s=5.0, late_s=0.2))
    late, idle, stale = result_of(plan, record, datetime.now(UTC), 1.0).notes
    assert "up to 200 ms" in late
    assert idle == "No device has polled: the run ended before the server's interval of 5 s."
    assert "No device has refreshed its tokens." in stale


async def test_what_a_run_needs() -> None:
    async with serving() as (_, plan):
        needs = needs_of(plan.scenario, interval_s=5)
    assert needs.files == 30
    assert needs.ports == 30 + 60 * 30 // 3 // 5
