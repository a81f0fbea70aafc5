"""Whole runs over real connections: against a small server, in this process and in several."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from deviceflow.conformance.discovery import find_endpoints
from deviceflow.device.client_auth import Credentials
from deviceflow.device.errors import UnreachableError
from deviceflow.fleet.plan import Plan, needs_of
from deviceflow.fleet.record import ServerUse
from deviceflow.fleet.result import (
    FleetResult,
    Operation,
    People,
    PollOutcome,
    Scenario,
    Second,
    as_json,
    read_result,
)
from deviceflow.fleet.run import run_fleet
from deviceflow.fleet.styles import read_weights
from deviceflow.fleet.verdict import WrongKind
from deviceflow.fleet.ways import ByAdminApi

INTERVAL_S = 1
TOKEN = "an admin's token"

Handler = Callable[[web.Request], Awaitable[web.Response]]


class SmallServer:
    """The endpoints that a fleet and its people need. `lie`: what polls get instead."""

    def __init__(self) -> None:
        self.decisions: dict[str, str] = {}
        self.addresses: set[str] = set()
        self.lie: Callable[[], web.Response] | None = None
        self._numbers = count(1)

    def application(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.get("/.well-known/oauth-authorization-server", self._metadata),
                web.post("/start", self._start),
                web.post("/token", self._token),
                web.post("/api/v1/grants/find", self._find),
                web.post("/api/v1/grants/{id}/{choice}", self._decide),
            ]
        )
        return app

    async def _metadata(self, request: web.Request) -> web.Response:
        base = f"{request.scheme}://{request.host}"
        return web.json_response(
            {
                "issuer": base,
                "device_authorization_endpoint": f"{base}/start",
                "token_endpoint": f"{base}/token",
            }
        )

    async def _start(self, request: web.Request) -> web.Response:
        self.addresses.add(str(request.remote))
        number = next(self._numbers)
        return web.json_response(
            {
                "device_code": f"code {number}",
                "user_code": f"{number}",
                "verification_uri": "http://127.0.0.1/device",
                "expires_in": 600,
                "interval": INTERVAL_S,
            }
        )

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        number = str(form.get("device_code", "")).removeprefix("code ")
        if self.lie is not None:
            return self.lie()
        match self.decisions.get(number):
            case "approve":
                return web.json_response({"access_token": f"t{number}", "token_type": "Bearer"})
            case "deny":
                return web.json_response({"error": "access_denied"}, status=400)
            case _:
                return web.json_response({"error": "authorization_pending"}, status=400)

    async def _find(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == f"Bearer {TOKEN}"
        return web.json_response({"id": (await request.json())["user_code"]})

    async def _decide(self, request: web.Request) -> web.Response:
        body: dict[str, Any] = await request.json()
        assert body["sub"].startswith("fleet-")
        self.decisions[request.match_info["id"]] = request.match_info["choice"]
        return web.json_response({"state": "decided"})


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[SmallServer, Plan]]:
    """Serve, and make a plan of a run that takes a few seconds."""
    small = SmallServer()
    async with TestServer(small.application()) as server:
        base = str(server.make_url("")).rstrip("/")
        people = People(by="admin", approve=0.7, deny=0.3, walk_away=0.0, median_s=1.0, sigma=0.2)
        yield (
            small,
            Plan(
                scenario=Scenario(
                    devices=30,
                    arrival="power-cut",
                    seconds=600.0,
                    styles=read_weights(["obedient=2", "reconnecting=1"]),
                    people=people,
                    seed=8628,
                ),
                endpoints=await find_endpoints(base),
                credentials=Credentials(client_id="tv"),
                scope="",
                way=ByAdminApi(base=base, token=TOKEN),
                version="0",
            ),
        )


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


async def test_what_a_run_needs() -> None:
    async with serving() as (_, plan):
        needs = needs_of(plan.scenario, interval_s=5)
    assert needs.files == 30
    assert needs.ports == 30 + 60 * 30 // 3 // 5
