"""The endpoints for machines, wired as a worker wires them, over a real Valkey.

A `Stage` has one store, any number of workers in this process, one clock that stands still
until a test moves it, and `people`, who decide at yet another worker, so that a decision
reaches the workers under test by the push message and the log, as it does in a fleet.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from hashlib import sha256
from typing import Any, NamedTuple, Self

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from multidict import CIMultiDict, CIMultiDictProxy
from redis.asyncio import Redis

from deviceflow.admin.tokens import AdminTokens
from deviceflow.app import Apps, build
from deviceflow.config import Settings
from deviceflow.core.claims import Subject
from deviceflow.core.client import Client
from deviceflow.core.grant import Event, Outcome, State
from deviceflow.core.messages import DEVICE_CODE_GRANT
from deviceflow.core.user_code import NUMERIC, UserCodeFormat
from deviceflow.pages.demo import Demo
from deviceflow.parts import Parts
from deviceflow.start import prepare
from deviceflow.store.device_index import DeviceIndex
from deviceflow.store.grant_records import DecisionPage, Grant
from deviceflow.store.grants import Grants
from deviceflow.store.installation import Installation
from deviceflow.store.mirror import Mirror
from deviceflow.store.opening import connect
from deviceflow.store.sessions import Sessions
from deviceflow.store.slots import Slots
from deviceflow.store.users import Users
from tests.stage.audited import SeenSecrets
from tests.stage.clock import Clock, standing_still
from tests.stage.described import Description
from tests.stage.valkey import admin_of, open_connection
from tests.stage.waiting import PATIENCE_S, until

ISSUER = "http://127.0.0.1:8628"


AUTHORIZE = "/oauth2/device_authorization"


TOKEN = "/oauth2/token"


SECRET = "%:+ é&="


PACE_SLOTS = 1024


CLIENTS = (
    Client(
        client_id="tv-app",
        name="Living-room TV",
        scopes=("openid", "profile", "email", "offline_access"),
    ),
    Client(client_id="other-tv", name="Other TV", scopes=("openid", "profile")),
    Client(
        client_id="console",
        name="Console",
        scopes=("profile",),
        auth_method="client_secret_basic",
        secret_sha256=(
            sha256(b"the next secret").hexdigest(),
            sha256(SECRET.encode()).hexdigest(),
        ),
    ),
    Client(
        client_id="box",
        name="Set-top box",
        scopes=("profile", "offline_access"),
        auth_method="client_secret_post",
        secret_sha256=(sha256(SECRET.encode()).hexdigest(),),
    ),
    Client(
        client_id="either",
        name="Either way",
        scopes=("profile",),
        auth_method="client_secret",
        secret_sha256=(sha256(SECRET.encode()).hexdigest(),),
    ),
    Client(client_id="off", name="Switched off", scopes=("profile",), enabled=False),
    Client(client_id="bare", name="No scopes"),
    Client(client_id="always", name="Always refreshes", scopes=("profile",), refresh_token=True),
    Client(
        client_id="never", name="Never refreshes", scopes=("offline_access",), refresh_token=False
    ),
    Client(
        client_id="typed",
        name="Has to be typed",
        scopes=("profile",),
        lifetime_s=120,
        interval_s=7,
        user_code=UserCodeFormat(alphabet=NUMERIC, length=9, group=3),
        verification_uri_complete=False,
        audience="https://api.example.com",
    ),
    Client(client_id="brief", name="Brief", scopes=("profile",), lifetime_s=2),
)


PEOPLE = ("ada", "bob")


StageAt = Callable[..., Awaitable["Stage"]]


Until = Callable[[Callable[[], object]], Awaitable[None]]


class Answer(NamedTuple):
    """An answer of an endpoint; `body` is the JSON."""

    status: int
    headers: CIMultiDictProxy[str]
    body: dict[str, Any]

    @property
    def error(self) -> str:
        """The error code, empty for a success."""
        return str(self.body.get("error", ""))

    @property
    def outcome(self) -> tuple[int, str]:
        return self.status, self.error


class Worker:
    """One worker and the devices that speak to it."""

    def __init__(
        self,
        client: TestClient[Any, web.Application],
        admin: TestClient[Any, web.Application],
        parts: Parts,
    ) -> None:
        self.client = client
        self.admin = admin
        self.parts = parts
        self.mirror = parts.mirror
        self.feed = parts.feed
        self.described = Description(parts.settings)
        self.secrets = SeenSecrets()

    @property
    def port(self) -> int:
        assert self.client.port is not None
        return int(self.client.port)

    @property
    def epoch(self) -> bytes:
        """Which installation the worker takes the store for."""
        return self.parts.installation.epoch

    async def readiness(self) -> tuple[int, dict[str, str]]:
        async with self.admin.get("/readyz") as response:
            return response.status, await response.json()

    async def send(self, method: str, path: str, **options: Any) -> Answer:  # noqa: ANN401, aiohttp's
        """Any request; the answer has to be described, and JSON that nobody may keep."""
        options.setdefault("allow_redirects", False)
        async with self.client.request(method, path, **options) as response:
            text = await response.text()
            assert response.content_type == "application/json", text
            assert response.headers["Cache-Control"] == "no-store"
            assert response.headers["Pragma"] == "no-cache"
            assert "Set-Cookie" not in response.headers
            answer = Answer(response.status, response.headers, json.loads(text))
            self.secrets.add_fields(options.get("data"))
            self.secrets.add_fields(answer.body)
            self.described.check(method, path, *answer.outcome)
            return answer

    async def post(self, path: str, data: Any, **options: Any) -> Answer:  # noqa: ANN401, aiohttp's
        return await self.send("POST", path, data=data, **options)

    async def authorize(self, client_id: str = "tv-app", **parameters: str) -> Answer:
        """A device authorization request of a public client."""
        return await self.post(AUTHORIZE, {"client_id": client_id} | parameters)

    async def poll(self, device_code: str, client_id: str = "tv-app", **parameters: str) -> Answer:
        """A token request for a device code of a public client."""
        form = {"grant_type": DEVICE_CODE_GRANT, "device_code": device_code}
        return await self.post(TOKEN, form | {"client_id": client_id} | parameters)

    async def refresh(
        self, refresh_token: str, client_id: str = "tv-app", **parameters: str
    ) -> Answer:
        """A token request for a refresh token of a public client."""
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return await self.post(TOKEN, form | {"client_id": client_id} | parameters)

    async def knows(self, grant_id: int, *states: State | None) -> None:
        """Wait until the push message of a decision has arrived."""
        await until(lambda: self.mirror.state_of(grant_id) in states)

    async def raw(self, sent: bytes) -> Answer:
        """The first answer to `sent`, byte for byte as it stands, on a connection of its own."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            async with asyncio.timeout(PATIENCE_S):
                writer.write(sent)
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                fields = [line.partition(": ") for line in head[1:] if line]
                headers = CIMultiDict((name, value) for name, _, value in fields)
                body = await reader.readexactly(int(headers["Content-Length"]))
        finally:
            writer.close()
        is_json = headers.get("Content-Type", "").startswith("application/json")
        parsed = json.loads(body) if is_json else {"text": body.decode()}
        return Answer(int(head[0].split()[1]), CIMultiDictProxy(headers), parsed)


class People:
    """Decide at a worker that is not under test, for all workers of the stage to hear."""

    def __init__(
        self, grants: Grants, users: Users, sessions: Sessions, workers: list[Worker]
    ) -> None:
        self.grants = grants
        self.users = users
        self.sessions = sessions
        self._workers = workers

    async def find(self, user_code: str) -> Grant | None:
        return await self.grants.find(user_code.replace("-", ""))

    async def claim(self, user_code: str, username: str = "ada") -> Outcome:
        return await self.grants.claim(await self._found(user_code), f"sub-{username}")

    async def approve_in(self, language: str, user_code: str) -> Outcome:
        """Claim and approve on a page in that language; returns as `approve` does."""
        await self.claim(user_code)
        grant, page = await self._found(user_code), DecisionPage("203.0.113.9", language)
        subject = await self.subject("ada")
        outcome = await self.grants.decide(grant, Event.APPROVE, subject, page=page)
        for worker in self._workers:
            await worker.knows(grant.id, State.APPROVED)
        return outcome

    async def approve(
        self, user_code: str, username: str = "ada", scope: str | None = None
    ) -> Outcome:
        """Claim and approve; returns when every worker has heard of it. `scope`: None for all."""
        await self.claim(user_code, username)
        return await self.decide(user_code, Event.APPROVE, username, scope)

    async def deny(self, user_code: str, username: str = "ada") -> Outcome:
        await self.claim(user_code, username)
        return await self.decide(user_code, Event.DENY, username)

    async def cancel(self, user_code: str) -> Outcome:
        return await self.decide(user_code, Event.CANCEL, None)

    async def decide(
        self, user_code: str, event: Event, username: str | None, scope: str | None = None
    ) -> Outcome:
        grant = await self._found(user_code)
        subject = await self.subject(username) if username else None
        outcome = await self.grants.decide(grant, event, subject, scope)
        if outcome is Outcome.CHANGED:
            state = {Event.APPROVE: State.APPROVED, Event.DENY: State.DENIED}.get(
                event, State.CANCELLED
            )
            for worker in self._workers:
                await worker.knows(grant.id, state)
        return outcome

    async def _found(self, user_code: str) -> Grant:
        grant = await self.find(user_code)
        assert grant is not None, "no grant has this user code"
        return grant

    async def subject(self, username: str) -> Subject:
        account = await self.users.find(username)
        assert account is not None
        return Subject(
            sub=account.sub,
            username=account.username,
            auth_time=1_700_000_000,
            amr=("pwd",),
            name=account.name,
            email=account.email,
            mark=account.marks.devices,
        )


class Stage:
    """One store, its workers, and the people."""

    def __init__(self, url: str, settings: Settings, clock: Clock, stack: AsyncExitStack) -> None:
        self.url = url
        self.settings = settings
        self.clock = clock
        self.workers: list[Worker] = []
        self.redis: Redis = admin_of(url)
        self.pace = memoryview(bytearray(8 * PACE_SLOTS))
        self.people: People
        self._stack = stack

    async def open(self) -> Self:
        await self.redis.flushall()
        self._stack.push_async_callback(self.redis.aclose)
        connection = open_connection(self.url)
        self._stack.push_async_callback(connection.close)
        installation = await Installation.open(connection)
        mirror = Mirror()
        slots = Slots(connection, self.clock)
        devices = DeviceIndex(connection, installation, 1000, self.clock)
        grants = Grants(connection, installation, mirror, slots, devices, self.clock)
        users = Users(connection, self.settings.users)
        self._stack.callback(users.close)
        self._stack.callback(self._look_for_secrets)
        sessions = Sessions(connection, installation, 3600)
        self.people = People(grants, users, sessions, self.workers)
        return self

    def _look_for_secrets(self) -> None:
        """At the end of a test: the audit of no worker has a secret that a device has seen."""
        for worker in self.workers:
            found = [each.secrets.found_in(worker.parts.audit.recent) for each in self.workers]
            assert set().union(*found) == set(), "a secret is in the audit"

    async def build(
        self,
        settings: Settings,
        pace: memoryview,
        *,
        admin_tokens: AdminTokens | None = None,
        demo: Demo | None = None,
    ) -> Apps:
        """Make what a worker serves, on this stage's store and clock."""
        apps = build(
            settings,
            open_connection(self.url, partial(connect, settings)),
            await prepare(settings, self.url),
            pace,
            clock=self.clock,
            steady=self.clock,
            admin_tokens=admin_tokens,
            demo=demo,
        )
        apps.parts.load.steady = standing_still
        return apps

    async def start_worker(
        self, settings: Settings | None = None, *, admin_tokens: AdminTokens | None = None
    ) -> Worker:
        """Another worker, which shares nothing with the others but the store and the pace."""
        apps = await self.build(settings or self.settings, self.pace, admin_tokens=admin_tokens)
        public, admin = [TestClient(TestServer(app)) for app in (apps.public, apps.admin)]
        for client in (public, admin):
            await self._stack.enter_async_context(client)
        worker = Worker(public, admin, apps.parts)
        await until(lambda: worker.feed.reachable and worker.feed.subscribed)
        self.workers.append(worker)
        return worker

    async def keys(self, pattern: str) -> list[str]:
        return [key.decode() async for key in self.redis.scan_iter(match=pattern, count=1000)]

    async def calls(self) -> int:
        """How many commands the store has answered so far."""
        stats: dict[str, dict[str, int]] = await self.redis.info("commandstats")
        return sum(command["calls"] for command in stats.values())
