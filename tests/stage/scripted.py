"""An authorization server that says what a test has written down, and a time that a test owns."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.test_utils import TestServer

RFC8414 = "/.well-known/oauth-authorization-server"
OIDC = "/.well-known/openid-configuration"
PENDING: dict[str, object] = {"error": "authorization_pending"}
TOKENS: dict[str, object] = {
    "access_token": "2YotnFZFEjr1zCsicMWpAA",
    "token_type": "Bearer",
    "expires_in": 3600,
    "scope": "openid",
}
CODES: dict[str, object] = {
    "device_code": "GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS",
    "user_code": "WDJB-MJHT",
    "verification_uri": "https://example.com/device",
    "verification_uri_complete": "https://example.com/device?user_code=WDJB-MJHT",
    "expires_in": 600,
    "interval": 5,
}


@dataclass
class Say:
    """One scripted answer: a JSON object, or text as it is.

    It takes `takes` seconds of the fake time, and `really_takes` of the real one.
    """

    body: dict[str, object] | str
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    takes: float = 0
    really_takes: float = 0
    hangs_up: bool = False

    def response(self) -> web.Response:
        if isinstance(self.body, str):
            return web.Response(text=self.body, status=self.status, headers=self.headers)
        return web.json_response(self.body, status=self.status, headers=self.headers)


def error(code: str, **more: object) -> Say:
    """An error answer as in RFC 6749 5.2."""
    return Say({"error": code, **more}, status=400)


class FakeTime:
    """A clock that moves only when somebody sleeps, or an answer takes its time."""

    def __init__(self) -> None:
        self.now = 1000.0

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Heard:
    """A request that the server got, and when."""

    path: str
    headers: Mapping[str, str]
    form: dict[str, str]
    at: float


class ScriptedServer:
    """`polls` are the token endpoint's answers in turn; after them it says authorization_pending.

    `codes` is the device authorization endpoint's answer, `revocation` that of the revocation
    endpoint, `metadata` what is added to the document (None takes a member out), `well_known` the
    paths that have it.
    """

    def __init__(self, time: FakeTime) -> None:
        self.time = time
        self.codes = Say(dict(CODES))
        self.polls: list[Say] = []
        self.revocation = Say("")
        self.metadata: dict[str, object] = {}
        self.path = ""
        self.well_known: dict[str, Say | None] = {RFC8414: None, OIDC: None}
        self.heard: list[Heard] = []
        self.issuer = ""

    def hold_and_revoke(self) -> None:
        """Offer to hold polls, so that they start at once, and to revoke tokens."""
        self.metadata = {
            "device_poll_max_wait": 30,
            "revocation_endpoint": f"{self.issuer}/revoke",
        }

    def requests(self, path: str) -> list[Heard]:
        return [heard for heard in self.heard if heard.path == path]

    @property
    def polled(self) -> list[Heard]:
        return self.requests("/token")

    def document(self) -> dict[str, object]:
        origin = self.issuer.removesuffix(self.path)
        found: dict[str, object] = {
            "issuer": self.issuer,
            "token_endpoint": f"{origin}/token",
            "device_authorization_endpoint": f"{origin}/device_authorization",
            **self.metadata,
        }
        return {name: value for name, value in found.items() if value is not None}

    async def handle(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.heard.append(Heard(request.path, request.headers.copy(), form, self.time.now))
        say = self._say(request)
        self.time.now += say.takes
        await asyncio.sleep(say.really_takes)
        if say.hangs_up and request.transport is not None:
            request.transport.abort()
        return say.response()

    def _say(self, request: web.Request) -> Say:
        if request.path in self.well_known:
            return self.well_known[request.path] or Say(self.document())
        if request.path == "/device_authorization" and request.method == "POST":
            return self.codes
        if request.path == "/token" and request.method == "POST":
            return self.polls.pop(0) if self.polls else Say(PENDING, status=400)
        if request.path == "/revoke" and request.method == "POST":
            return self.revocation
        return Say("nothing here", status=404)


@asynccontextmanager
async def serve(time: FakeTime) -> AsyncIterator[ScriptedServer]:
    """Run a scripted server on a free port of 127.0.0.1."""
    scripted = ScriptedServer(time)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", scripted.handle)
    async with TestServer(app) as server:
        scripted.issuer = str(server.make_url("")).rstrip("/")
        yield scripted
