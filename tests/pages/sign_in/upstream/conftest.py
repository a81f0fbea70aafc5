"""A server with an upstream provider, and people who sign in there.

`provider`  the provider, honest until a test gives it lies
`site`      the server; a test may ask for other settings: `await open_site(allow_create=False)`
"""

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from html import unescape
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession
from yarl import URL

from deviceflow.config import Settings, SignIn, Upstream, User
from deviceflow.store.users import Users
from tests.stage.clock import Clock
from tests.stage.oauth import CLIENTS, ISSUER, Stage, Worker
from tests.stage.pages import Browser
from tests.stage.provider import CLIENT_ID, CLIENT_SECRET, StageProvider, running_provider
from tests.stage.valkey import Valkey

HOST = URL(ISSUER).authority


class Person(Browser):
    """A person's browser, which also goes to the provider and back."""

    def __init__(self, worker: Worker, provider: StageProvider) -> None:
        super().__init__(worker.client, HOST)
        self.worker = worker
        self.provider = provider

    async def leave(self, user_code: str = "", provider: str = "acme") -> ClientResponse:
        """Press the button of the provider on the page for signing in."""
        await self.open("/login", params={"user_code": user_code} if user_code else {})
        return await self.submit(f"/login/upstream/{provider}")

    @property
    def address(self) -> str:
        """Where the page leads by itself."""
        found = re.search(r'http-equiv="refresh" content="0; url=([^"]*)"', self.page)
        assert found is not None, self.text
        return unescape(found[1])

    async def come_back(self) -> ClientResponse:
        """Sign in at the provider, and go where its answer leads; it leads to this server."""
        return await self.arrive(await self.provider.visit(self.address))

    async def arrive(self, answer: str) -> ClientResponse:
        """Open the address of an answer."""
        assert answer.startswith(ISSUER)
        return await self.open(URL(answer.removeprefix(ISSUER), encoded=True))

    async def sign_in_upstream(self, user_code: str = "") -> ClientResponse:
        await self.leave(user_code)
        return await self.come_back()

    async def post_as_provider(self, path: str, fields: dict[str, str]) -> tuple[int, str, str]:
        """Post a form from the provider's page: without cookies. Status, page, where it leads."""
        url = self.worker.client.make_url(path)
        headers = {"Host": HOST, "Origin": self.provider.issuer, "Sec-Fetch-Site": "cross-site"}
        async with (
            ClientSession() as session,
            session.post(url, data=fields, headers=headers, allow_redirects=False) as response,
        ):
            return response.status, await response.text(), response.headers.get("Location", "")


class Site:
    """The server under test."""

    def __init__(self, stage: Stage, worker: Worker, provider: StageProvider) -> None:
        self.stage = stage
        self.worker = worker
        self.provider = provider

    def person(self) -> Person:
        """A new browser, with no cookie. The old one is gone."""
        self.worker.client.session.cookie_jar.clear()
        return Person(self.worker, self.provider)

    @property
    def users(self) -> Users:
        return self.worker.parts.users

    async def session(self) -> dict[str, Any]:
        """The one session that there is."""
        (key,) = await self.stage.keys("df:s:*")
        record: dict[str, Any] = json.loads(await self.stage.redis.get(key) or "{}")
        return record


OpenSite = Callable[..., Awaitable[Site]]


@pytest.fixture
async def provider(clock: Clock) -> AsyncIterator[StageProvider]:
    async with running_provider(clock) as running:
        yield running


@pytest.fixture
async def open_site(
    valkey: Valkey, clock: Clock, provider: StageProvider
) -> AsyncIterator[OpenSite]:
    """Open the server with changes to the settings of its provider."""
    async with AsyncExitStack() as stack:

        async def start(
            *,
            password: bool = True,
            second: bool = False,
            path: str = "",
            **changes: Any,  # noqa: ANN401, settings
        ) -> Site:
            fields: dict[str, Any] = {
                "id": "acme",
                "name": "Acme",
                "issuer": provider.issuer,
                "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET,
                "allow_create": True,
            }
            upstreams = [Upstream(**(fields | changes))]
            if second:
                upstreams.append(Upstream(**(fields | changes | {"id": "second"})))
            settings = Settings(
                issuer=f"{ISSUER}{path}",
                clients=CLIENTS,
                users=(User(username="bob", password_hash="$argon2id$x", sub="sub-bob"),),
                sign_in=SignIn(password=password),
                upstream=tuple(upstreams),
            )
            stage = await Stage(valkey.url, settings, clock, stack).open()
            return Site(stage, await stage.start_worker(), provider)

        yield start


@pytest.fixture
async def site(open_site: OpenSite) -> Site:
    """The server as most installations have it: everybody of the provider may come in."""
    return await open_site()


@pytest.fixture
def person(site: Site) -> Person:
    return site.person()
