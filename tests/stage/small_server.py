"""A server that is just large enough for a fleet and its people, and a plan of a run against it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from deviceflow.conformance.discovery import find_endpoints
from deviceflow.device.client_auth import Credentials
from deviceflow.fleet.plan import Plan
from deviceflow.fleet.result import People, Scenario
from deviceflow.fleet.styles import read_weights
from deviceflow.fleet.ways import ByAdminApi

INTERVAL_S = 1
TOKEN = "an admin's token"


class SmallServer:
    """The endpoints that a fleet and its people need.

    `lie`: what polls are answered instead; `refusal`: what requests for codes are.
    """

    def __init__(self) -> None:
        self.decisions: dict[str, str] = {}
        self.addresses: set[str] = set()
        self.lie: Callable[[], web.Response] | None = None
        self.refusal: Callable[[], web.Response] | None = None
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
        if self.refusal is not None:
            return self.refusal()
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
        if request.headers["Authorization"] != f"Bearer {TOKEN}":
            return web.json_response({"error": "invalid_token"}, status=401)
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
