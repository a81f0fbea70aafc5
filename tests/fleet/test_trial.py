"""What is tried once before a run."""

import msgspec
import pytest
from aiohttp import web

from deviceflow.device.errors import MalformedAnswerError, ServerError, UnreachableError
from deviceflow.fleet.trial import WayError, try_once
from deviceflow.fleet.ways import ByAdminApi, Way
from tests.stage.small_server import TOKEN, serving


async def test_a_server_that_gives_codes() -> None:
    async with serving() as (small, plan):
        await try_once(plan)
        assert small.addresses == {"127.0.0.1"}


async def test_a_client_that_the_server_refuses() -> None:
    async with serving() as (small, plan):
        small.refusal = lambda: web.json_response({"error": "invalid_client"}, status=401)
        with pytest.raises(ServerError, match="invalid_client"):
            await try_once(plan)


async def test_a_page_in_place_of_an_endpoint() -> None:
    async with serving() as (small, plan):
        small.refusal = lambda: web.Response(text="<html>", content_type="text/html")
        with pytest.raises(MalformedAnswerError, match="no JSON object"):
            await try_once(plan)


async def test_a_busy_server_is_no_reason_against_a_run() -> None:
    async with serving() as (small, plan):
        small.refusal = lambda: web.Response(status=503, headers={"Retry-After": "60"})
        await try_once(plan)


async def test_a_server_that_is_not_there() -> None:
    async with serving() as (_, plan):
        pass
    with pytest.raises(UnreachableError, match="connection refused"):
        await try_once(plan)


async def test_a_token_that_the_api_of_operators_refuses() -> None:
    async with serving() as (_, plan):
        assert isinstance(plan.way, ByAdminApi)
        way = msgspec.structs.replace(plan.way, token="of another server")
        with pytest.raises(
            WayError, match=r"answers 401 invalid_token\. Check its address"
        ) as caught:
            await try_once(msgspec.structs.replace(plan, way=way))
        assert TOKEN not in str(caught.value)
        nobody = msgspec.structs.replace(plan, way=Way())
        await try_once(nobody)
