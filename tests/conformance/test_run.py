"""What a run makes of servers that ask for a pause, break down, or answer nonsense."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from deviceflow.conformance.check import Judgement
from deviceflow.conformance.checks import CATALOGUE
from deviceflow.conformance.decisions import NoDecisions
from deviceflow.conformance.endpoints import Endpoints
from deviceflow.conformance.run import counts, run
from deviceflow.conformance.site import Parties, Politeness, Site
from deviceflow.device.client_auth import Credentials


@asynccontextmanager
async def answering(**answer: Any) -> AsyncIterator[tuple[Site, list[str]]]:  # noqa: ANN401
    """A site that gives one answer to everything, and what it was asked."""
    asked: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(**answer)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    async with TestServer(app) as server:
        base = str(server.make_url("")).rstrip("/")
        endpoints = Endpoints(
            issuer=base, device_authorization=f"{base}/device", token=f"{base}/token"
        )
        parties = Parties(client=Credentials(client_id="tv"), decisions=NoDecisions())
        async with Site(endpoints, parties, Politeness(1000)) as site:
            yield site, asked


async def test_429_ends_the_run() -> None:
    async with answering(status=429, headers={"Retry-After": "30"}) as (site, asked):
        results = await run(site, list(CATALOGUE.values()))
    assert counts(results)[Judgement.PASS] == 0
    # Those that were on their way when the first answer came.
    assert len(asked) <= 10
    assert "the server asked for a pause for 30 s (429)" in {each.reason for each in results}


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 500, "text": "<h1>Internal error</h1>", "content_type": "text/html"},
        {"text": "[]", "content_type": "application/json"},
        {"text": "\x00\xff", "content_type": "application/json"},
        {"text": "[" * 100_000, "content_type": "application/json"},
        {"text": '{"error": 5, "device_code": [], "interval": "x"}'},
        {"status": 302, "headers": {"Location": "https://elsewhere.example/"}},
    ],
    ids=["500", "array", "bytes", "deep", "types", "redirect"],
)
async def test_nonsense_is_no_crash(answer: dict[str, Any]) -> None:
    async with answering(**answer) as (site, _):
        results = await run(site, list(CATALOGUE.values()))
    assert len(results) == len(CATALOGUE)
    assert all(each.reason for each in results)
    by_id = {each.check.id: each.judgement for each in results}
    assert by_id["8628-3.2-a"] is Judgement.FAIL


async def test_no_server_is_no_verdict() -> None:
    endpoints = Endpoints(
        issuer="http://127.0.0.1:1",
        device_authorization="http://127.0.0.1:1/device",
        token="http://127.0.0.1:1/token",
    )
    parties = Parties(client=Credentials(client_id="tv"), decisions=NoDecisions())
    async with Site(endpoints, parties, Politeness(1000)) as site:
        results = await run(site, list(CATALOGUE.values()))
    assert {each.judgement for each in results} == {Judgement.UNJUDGED, Judgement.NOT_APPLICABLE}
