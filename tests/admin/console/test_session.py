"""The sessions of operators: who gets one, what ends it, and what is not one."""

import pytest
from aiohttp.test_utils import make_mocked_request

from deviceflow.admin.console.session import (
    CONSOLE_COOKIE,
    CONSOLE_SESSION_S,
    ConsoleSessions,
)
from deviceflow.admin.tokens import AdminTokens
from tests.stage.admin import NEXT_TOKEN, TOKEN
from tests.stage.clock import Clock
from tests.stage.console import ConsoleBrowser
from tests.stage.oauth import Stage, Worker


async def test_a_cookie_that_scripts_other_sites_and_the_network_do_not_get(worker: Worker) -> None:
    browser = ConsoleBrowser(worker)
    await browser.open("/console/sign-in")
    answer = await browser.submit("/console/sign-in", token=TOKEN)
    cookie = answer.cookies[CONSOLE_COOKIE]
    assert cookie["secure"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Strict"
    assert cookie["path"] == "/console"
    assert not cookie["domain"]
    assert int(cookie["max-age"]) == CONSOLE_SESSION_S
    assert TOKEN not in cookie.value


async def test_it_ends(console: ConsoleBrowser, clock: Clock) -> None:
    assert (await console.open("/console")).status == 200
    clock.now += CONSOLE_SESSION_S - 1
    assert (await console.open("/console/clients")).status == 200
    clock.now += 1
    assert (await console.open("/console/clients")).status == 303
    assert console.place == "/console/sign-in"


async def test_it_is_good_at_every_worker_with_the_token(
    console: ConsoleBrowser, other_worker: Worker, stage: Stage
) -> None:
    console.worker = other_worker
    assert (await console.open("/console/clients")).status == 200
    console.worker = await stage.start_worker(admin_tokens=AdminTokens.of(NEXT_TOKEN.encode()))
    assert (await console.open("/console/clients")).status == 303, "its token is not in the file"


@pytest.mark.parametrize("change", ["", "x", "...", "a.b.c.d", "é"])
async def test_a_cookie_that_was_made_up(console: ConsoleBrowser, change: str) -> None:
    console.cookie = change
    assert (await console.open("/console/clients")).status == 303


async def test_a_cookie_that_was_changed(console: ConsoleBrowser) -> None:
    good = console.cookie
    operator, ends_at, nonce, seal = good.split(".")
    for changed in (
        f"{operator}.{int(ends_at) + 1}.{nonce}.{seal}",
        f"{operator[::-1]}.{ends_at}.{nonce}.{seal}",
        good[:-1],
    ):
        console.cookie = changed
        assert (await console.open("/console/clients")).status == 303
    console.cookie = good
    assert (await console.open("/console/clients")).status == 200


def test_what_is_not_utf_8_is_the_seal_of_nothing() -> None:
    """A byte that is not UTF-8 comes as half of a pair, which cannot be encoded."""
    tokens = AdminTokens.of(TOKEN.encode())
    sessions = ConsoleSessions(tokens=tokens, keys=lambda: (b"k" * 32,), clock=Clock(0))
    assert not sessions.is_own_form(make_mocked_request("GET", "/console"), "\udcff")
