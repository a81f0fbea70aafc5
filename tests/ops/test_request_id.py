"""The id of a request: in the lines that it causes, and in its answer."""

import re

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from deviceflow.ops.request_id import HEADER, request_ids

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
NEW = re.compile("[0-9a-f]{16}")


async def tell(_: web.Request) -> web.Response:
    """Answer with the id that a log line would have."""
    return web.Response(text=str(structlog.contextvars.get_contextvars()["request_id"]))


async def ask(headers: dict[str, str], *, trusted: bool = True, of_lane: bool = False) -> str:
    """The id of a request with these headers, empty if its answer has none."""
    app = web.Application(middlewares=[request_ids(lambda _: trusted, lambda _: of_lane)])
    app.add_routes([web.get("/", tell)])
    async with TestClient(TestServer(app)) as client, client.get("/", headers=headers) as answer:
        text = await answer.text()
        told = answer.headers.get(HEADER, "")
    assert text == told or of_lane
    assert structlog.contextvars.get_contextvars() == {}
    return told


async def test_a_request_without_an_id_gets_a_new_one() -> None:
    first, second = await ask({}), await ask({})
    assert NEW.fullmatch(first)
    assert NEW.fullmatch(second)
    assert first != second


@pytest.mark.parametrize(
    ("headers", "request_id"),
    [
        ({HEADER: "abc-123"}, "abc-123"),
        ({"traceparent": PARENT}, TRACE),
        ({HEADER: "abc-123", "traceparent": PARENT}, "abc-123"),
    ],
)
async def test_the_id_of_a_trusted_proxy_is_kept(headers: dict[str, str], request_id: str) -> None:
    assert await ask(headers) == request_id


@pytest.mark.parametrize("headers", [{HEADER: "abc-123"}, {"traceparent": PARENT}])
async def test_a_stranger_chooses_no_id(headers: dict[str, str]) -> None:
    assert NEW.fullmatch(await ask(headers, trusted=False))


@pytest.mark.parametrize(
    "headers",
    [
        {HEADER: "x" * 65},
        {HEADER: "two words"},
        {HEADER: '"}'},
        {"traceparent": "00-" + "0" * 32 + "-b7ad6b7169203331-01"},
        {"traceparent": TRACE},
    ],
)
async def test_what_is_no_id_is_not_logged(headers: dict[str, str]) -> None:
    assert NEW.fullmatch(await ask(headers))


async def test_an_answer_that_the_lane_could_give_has_none() -> None:
    assert await ask({}, of_lane=True) == ""
