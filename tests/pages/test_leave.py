"""The page that leads to another server."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from deviceflow.config import Settings
from deviceflow.pages.leave import leave
from deviceflow.pages.render import setup
from tests.stage.pages import check_headers


async def test_it_leads_on_by_itself_and_by_a_link(
    aiohttp_client: Callable[..., Awaitable[Any]], settings: Settings
) -> None:
    address = "https://sso.example.com/authorize?a=1&b=%22%3E"

    async def handle(request: web.Request) -> web.Response:
        return leave(request, address, "<b>Acme</b>")

    app = web.Application()
    setup(app, settings)
    app.router.add_post("/leave", handle)
    answer = await (await aiohttp_client(app)).post("/leave")
    page = await answer.text()
    assert answer.status == 200
    check_headers(answer)
    written = address.replace("&", "&amp;")
    assert f'<meta http-equiv="refresh" content="0; url={written}">' in page
    assert f'href="{written}"' in page
    assert "<b>Acme" not in page
    assert "<script" not in page
