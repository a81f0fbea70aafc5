"""The pages over a store made of dictionaries, and a browser that keeps cookies and fills forms.

The fakes extend the store's classes, so that mypy holds their signatures to the real ones; the
rules of a grant come from `core.grant`, as they do in the store.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler

from deviceflow.config import Pages, Server, Settings
from deviceflow.config.settings import DEFAULT_SCOPES
from deviceflow.pages.demo import Demo
from deviceflow.pages.errors import error_page
from deviceflow.pages.languages import answering_in_language
from deviceflow.pages.render import setup
from tests.stage.pages import TV, Browser, MakeApp, OpenBrowser, Store, add_to


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def settings() -> Settings:
    return Settings(
        issuer="http://127.0.0.1:8628",
        pages=Pages(title="Example Connect"),
        server=Server(max_body_bytes=2048),
        scopes=DEFAULT_SCOPES | {"profile": "See your name & picture"},
        clients=(TV,),
    )


@pytest.fixture
def make_app(store: Store) -> MakeApp:
    """The pages as the server wires them, with a demo where a test has one."""

    def make(settings: Settings, demo: Demo | None = None) -> web.Application:
        app = web.Application(middlewares=[answering_in_language(), _errors_are_pages])
        setup(app, settings)
        add_to(app, store, settings, demo)
        app.router.add_get("/broken", _broken)
        return app

    return make


@pytest.fixture
def open_browser(
    aiohttp_client: Any,  # noqa: ANN401, its type has changed with every release of the plugin
    make_app: MakeApp,
    settings: Settings,
    store: Store,
) -> Iterator[OpenBrowser]:
    """A new browser of somebody at our pages, with other settings where a test has them.

    At the end, no secret that one of them has seen may be in the audit.
    """
    made: list[Browser] = []

    async def make(other: Settings | None = None) -> Browser:
        used = other or settings
        host = urlsplit(used.issuer_url).netloc
        made.append(Browser(await aiohttp_client(make_app(used)), host))
        return made[-1]

    yield make
    for browser in made:
        assert browser.secrets.found_in(store.audit.recent) == set(), "a secret is in the audit"


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
