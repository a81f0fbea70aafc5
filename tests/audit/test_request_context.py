"""The address of the request that runs, without handing it through."""

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from deviceflow.audit.request_context import current_address
from deviceflow.callers import Callers
from deviceflow.middleware import noting_requests


async def show(_: web.Request) -> web.Response:
    return web.Response(text=current_address())


async def test_the_address_is_that_of_the_request() -> None:
    app = web.Application(middlewares=[noting_requests(Callers(["127.0.0.1/32"]))])
    app.router.add_get("/", show)
    async with TestClient(TestServer(app)) as client:
        answer = await client.get("/", headers={"X-Forwarded-For": "203.0.113.7"})
        assert await answer.text() == "203.0.113.7"
    assert current_address() == ""
