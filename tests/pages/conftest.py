"""The pages over a store made of dictionaries, and a browser that keeps cookies and fills forms.

The fakes extend the store's classes, so that mypy holds their signatures to the real ones; the
rules of a grant come from `core.grant`, as they do in the store.
"""

from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler

from deviceflow.callers import Callers
from deviceflow.config import Pages, Server, Settings
from deviceflow.core.client import Clients
from deviceflow.pages.device.codes import Codes
from deviceflow.pages.device.pages import DevicePages
from deviceflow.pages.errors import error_page
from deviceflow.pages.render import setup
from deviceflow.pages.sign_in.password import LoginPages
from deviceflow.pages.throttle import Throttle
from deviceflow.pages.visitor import Visitors
from tests.stage.pages import KEY, TV, Browser, OpenBrowser, Store


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def settings() -> Settings:
    return Settings(
        issuer="http://127.0.0.1:8628",
        pages=Pages(title="Example Connect"),
        server=Server(max_body_bytes=2048),
        scopes={"profile": "See your name & picture"},
        clients=(TV,),
    )


@pytest.fixture
def make_app(store: Store) -> Callable[[Settings], web.Application]:
    """The pages wired as the server wires them."""

    def make(settings: Settings) -> web.Application:
        app = web.Application(middlewares=[_errors_are_pages])
        setup(app, settings)
        clients = store.clients = Clients(settings.clients)
        visitors = Visitors(
            settings,
            store.sessions,
            store.users,
            Callers(settings.server.trusted_proxies),
            lambda: KEY,
        )
        codes = Codes(settings.device.user_code, clients)
        throttle = Throttle(store.limits, settings.device.lifetime_s)
        device = DevicePages(
            settings=settings,
            visitors=visitors,
            codes=codes,
            throttle=throttle,
            clients=clients,
            grants=store.grants,
            clock=lambda: store.grants.now,
        )
        login = LoginPages(
            settings=settings,
            visitors=visitors,
            codes=codes,
            throttle=throttle,
            users=store.users,
            sessions=store.sessions,
            clock=lambda: store.grants.now,
        )
        app.add_routes([*device.routes(), *login.routes()])
        app.router.add_get("/broken", _broken)
        return app

    return make


@pytest.fixture
def open_browser(
    aiohttp_client: Any,  # noqa: ANN401, its type has changed with every release of the plugin
    make_app: Callable[[Settings], web.Application],
    settings: Settings,
) -> OpenBrowser:
    """A new browser of somebody at our pages, with other settings where a test has them."""

    async def make(other: Settings | None = None) -> Browser:
        return Browser(await aiohttp_client(make_app(other or settings)))

    return make


@pytest.fixture
async def browser(open_browser: OpenBrowser) -> Browser:
    """A browser in which nobody has signed in."""
    return await open_browser()


@pytest.fixture
async def ada(open_browser: OpenBrowser) -> Browser:
    """A browser in which Ada has signed in."""
    browser = await open_browser()
    await browser.sign_in("ada")
    return browser


@pytest.fixture
async def bob(open_browser: OpenBrowser) -> Browser:
    """A browser in which Bob has signed in."""
    browser = await open_browser()
    await browser.sign_in("bob")
    return browser


@web.middleware
async def _errors_are_pages(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Exception as exc:  # noqa: BLE001, as the server does
        return await error_page(request, exc)


async def _broken(_: web.Request) -> web.Response:
    raise ZeroDivisionError
