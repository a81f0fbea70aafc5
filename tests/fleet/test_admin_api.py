"""Decisions by the API of operators: by the real one, and by one that breaks."""

from contextlib import AsyncExitStack

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from deviceflow.config import Device, Settings
from deviceflow.conformance.decisions import Choice, ToDecide, Undecided
from deviceflow.device.errors import InsecureAddressError
from deviceflow.fleet.admin_api import AdminApi
from deviceflow.fleet.crowd import NotNow
from tests.stage.admin import TOKEN, TOKENS
from tests.stage.clock import Clock
from tests.stage.oauth import CLIENTS, ISSUER, PACE_SLOTS, Stage
from tests.stage.valkey import Valkey


def of(user_code: str, choice: Choice) -> ToDecide:
    return ToDecide(
        user_code=user_code,
        verification_uri="",
        verification_uri_complete=None,
        choice=choice,
    )


async def test_grants_are_decided(valkey: Valkey, clock: Clock) -> None:
    settings = Settings(issuer=ISSUER, device=Device(pace_slots=PACE_SLOTS), clients=CLIENTS)
    async with AsyncExitStack() as stack:
        stage = await Stage(valkey.url, settings, clock, stack).open()
        worker = await stage.start_worker(admin_tokens=TOKENS)
        way = AdminApi(str(worker.admin.make_url("")), TOKEN)
        stack.push_async_callback(way.close)
        approved, denied = [await worker.authorize() for _ in range(2)]
        await way.decide(of(approved.body["user_code"], "approve"))
        await way.decide(of(denied.body["user_code"], "deny"))
        # What is sent again after a time-out is the same person's decision.
        await way.decide(of(approved.body["user_code"], "approve"))
        assert (await worker.poll(approved.body["device_code"])).status == 200
        assert (await worker.poll(denied.body["device_code"])).error == "access_denied"
        with pytest.raises(Undecided, match="404 not_found"):
            await way.decide(of("BBBB-BBBB", "approve"))
        with pytest.raises(Undecided, match="409 already_decided"):
            await way.decide(of(denied.body["user_code"], "approve"))


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ({"status": 503}, NotNow, "answers 503"),
        ({"status": 429}, NotNow, "answers 429"),
        ({"status": 200, "text": "<html>"}, Undecided, "answers 200, no JSON object"),
        ({"status": 404, "text": '{"error": "not_found"}'}, Undecided, "404 not_found"),
    ],
)
async def test_errors(answer: dict[str, object], error: type[Exception], words: str) -> None:
    async def handle(_: web.Request) -> web.Response:
        return web.Response(**answer)  # type: ignore[arg-type]

    app = web.Application()
    app.router.add_post("/{path:.*}", handle)
    async with TestServer(app) as server:
        way = AdminApi(str(server.make_url("")), TOKEN)
        with pytest.raises(error, match=words):
            await way.decide(of("BBBB-BBBB", "approve"))
        await way.close()
    with pytest.raises(NotNow, match="gives no answer"):
        await way.decide(of("BBBB-BBBB", "approve"))
    await way.close()


def test_tokens_are_only_sent_where_nobody_reads_them() -> None:
    with pytest.raises(InsecureAddressError, match="address of the admin API"):
        AdminApi("http://admin.example", TOKEN)
