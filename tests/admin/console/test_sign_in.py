"""Signing in to the console and out of it."""

import pytest
from structlog.testing import capture_logs

from deviceflow.admin.console.session import CONSOLE_COOKIE
from tests.stage.admin import TOKEN, TOKENS
from tests.stage.console import ConsoleBrowser
from tests.stage.oauth import Stage, Worker


async def test_the_first_page_leads_there_and_back(worker: Worker) -> None:
    browser = ConsoleBrowser(worker)
    await browser.open("/")
    assert browser.place == "/console"
    await browser.follow()
    assert "Sign in" in browser.text
    with capture_logs() as logs:
        await browser.sign_in()
    assert browser.answer.status == 200
    assert "Polls by outcome" in browser.text
    (line,) = [line for line in logs if line["event"] == "console.signed_in"]
    assert line["operator"] == TOKENS.names()[0]
    assert TOKEN not in str(logs)
    assert (await browser.open("/console/sign-in")).status == 303


@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], f"{TOKEN}{TOKEN}"])
async def test_a_wrong_token(worker: Worker, token: str) -> None:
    browser = ConsoleBrowser(worker)
    with capture_logs() as logs:
        answer = await browser.sign_in(token)
    assert answer.status == 403
    assert "none of the tokens" in browser.text
    assert not browser.cookie
    assert [line["event"] for line in logs] == ["console.sign_in_refused"]


async def test_spaces_around_a_token_that_was_pasted(worker: Worker) -> None:
    assert (await ConsoleBrowser(worker).sign_in(f" {TOKEN}\n")).status == 200


async def test_a_browser_that_keeps_no_cookie_is_told_why(worker: Worker) -> None:
    browser = ConsoleBrowser(worker)
    await browser.open("/console/sign-in")
    await browser.submit("/console/sign-in", token=TOKEN)
    browser.cookie = ""
    await browser.follow()
    assert "has not kept the session" in browser.text


async def test_signing_out(console: ConsoleBrowser) -> None:
    await console.open("/console")
    answer = await console.submit("/console/sign-out")
    assert answer.cookies[CONSOLE_COOKIE].value == ""
    assert console.place == "/console/sign-in"


async def test_without_a_token_file(stage: Stage) -> None:
    browser = ConsoleBrowser(await stage.start_worker())
    for path in ("/console", "/console/sign-in", "/console/grants/0000000000000001"):
        assert (await browser.open(path)).status == 403
        assert "The console is off" in browser.text
        assert "token_file" in browser.text
    assert (await browser.open("/console/static/console.css")).status == 200


@pytest.mark.parametrize(
    "path",
    ["/console", "/console/fleet", "/console/clients", "/console/people/ada", "/console/nothing"],
)
async def test_nothing_is_shown_without_a_session(worker: Worker, path: str) -> None:
    assert (await ConsoleBrowser(worker).open(path)).status == 303
