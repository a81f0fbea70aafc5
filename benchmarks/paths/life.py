"""The life of many grants at one server, step by step: what each request of it costs."""

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from urllib.parse import urlencode

import msgspec

from benchmarks.grants import Person
from benchmarks.paths.cost import Cost, RequestMeter
from benchmarks.polls import CLIENT_ID, USER_AGENT, authorization_request, poll_start
from benchmarks.processes import BenchmarkError
from benchmarks.servers import Competitor
from benchmarks.stores import Store
from benchmarks.wire import Answer, Lines

API, API_SECRET = "api", "a resource server's secret"
HEARD_S = 1.2
"""After the last approval: by then, the worker has heard of all of them."""


class Life:
    """Grants of one server. Each step needs the ones before it. `person`: None approves nothing."""

    def __init__(
        self, server: Competitor, store: Store, person: Person | None, grants: int
    ) -> None:
        self.server = server
        self._meter = RequestMeter(server.pids, store)
        self._person = person
        self._grants = grants
        self._issued: list[dict[str, str]] = []
        self._tokens: list[dict[str, str]] = []
        self._steps: dict[str, Callable[[], Awaitable[Sequence[bytes]]]] = {
            "start": self._start,
            "redemption": self._redeem,
            "first refresh": self._refresh,
            "refresh": self._refresh,
            "introspection": self._introspect,
            "userinfo": self._userinfo,
            "revocation": self._revoke,
        }

    @property
    def names(self) -> list[str]:
        """The steps, in order."""
        return list(self._steps)

    async def step(self, name: str) -> Cost:
        """Do a step for all grants; return what a request of it costs. May raise BenchmarkError."""
        requests = await self._steps[name]()
        async with Lines.open(self.server.port) as lines:
            with self._meter.measuring(len(requests)):
                answers = await lines.send_all(requests)
        wrong = next((answer for answer in answers if answer.status != HTTPStatus.OK), None)
        if wrong is not None:
            raise BenchmarkError(f"{self.server.name}, {name}: {wrong.head!r} {wrong.body!r}")
        if name == "start":
            self._issued = _read(answers)
        elif name in {"redemption", "first refresh", "refresh"}:
            self._tokens = _read(answers)
        return self._meter.cost

    async def _start(self) -> list[bytes]:
        return [authorization_request(self.server.port)] * self._grants

    async def _redeem(self) -> list[bytes]:
        if self._person is not None:
            for issued in self._issued:
                # People see it in groups; the store has it without.
                grant = await self._person.claim(issued["user_code"].replace("-", ""))
                await self._person.approve(grant)
            await asyncio.sleep(HEARD_S)
        start = poll_start(self.server.port)
        return [start + issued["device_code"].encode() for issued in self._issued]

    async def _refresh(self) -> list[bytes]:
        return [
            self._form(
                "/oauth2/token",
                grant_type="refresh_token",
                client_id=CLIENT_ID,
                refresh_token=tokens["refresh_token"],
            )
            for tokens in self._tokens
        ]

    async def _introspect(self) -> list[bytes]:
        login = b64encode(urlencode({API: API_SECRET}).replace("=", ":", 1).encode()).decode()
        return [
            self._form("/oauth2/introspect", login, token=tokens["access_token"])
            for tokens in self._tokens
        ]

    async def _userinfo(self) -> list[bytes]:
        return [
            self._request("GET", "/oauth2/userinfo", f"Bearer {tokens['access_token']}")
            for tokens in self._tokens
        ]

    async def _revoke(self) -> list[bytes]:
        return [
            self._form("/oauth2/revoke", client_id=CLIENT_ID, token=tokens["refresh_token"])
            for tokens in self._tokens
        ]

    def _form(self, path: str, login: str = "", **fields: str) -> bytes:
        return self._request("POST", path, f"Basic {login}" if login else "", urlencode(fields))

    def _request(self, method: str, path: str, authorization: str, body: str = "") -> bytes:
        lines = [
            f"{method} {path} HTTP/1.1",
            f"Host: 127.0.0.1:{self.server.port}",
            f"User-Agent: {USER_AGENT}",
            "Accept: application/json",
            *((f"Authorization: {authorization}",) if authorization else ()),
            *(("Content-Type: application/x-www-form-urlencoded",) if body else ()),
            f"Content-Length: {len(body)}",
        ]
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def _read(answers: Sequence[Answer]) -> list[dict[str, str]]:
    return [msgspec.json.decode(answer.body) for answer in answers]
