"""After signing in, a person is where the person was going, and nowhere else."""

import pytest

from deviceflow.pages.way_back import PLACES
from tests.stage.pages import COOKIE, Browser

THEN = f"{COOKIE}-then"


async def sign_in_with(browser: Browser, then: str, path: str = "/login", **fields: str) -> str:
    await browser.open(path)
    browser.client.session.cookie_jar.update_cookies({THEN: then})
    await browser.submit("/login", username="ada", password="ada", **fields)
    return browser.answer.headers["Location"]


@pytest.mark.parametrize(("place", "path"), PLACES.items())
async def test_the_places_that_there_are(browser: Browser, place: str, path: str) -> None:
    assert await sign_in_with(browser, place) == path
    assert browser.answer.cookies[THEN]["max-age"] == "0", "once"


@pytest.mark.parametrize("then", ["https://evil.example", "/account", "", "x"])
async def test_no_cookie_leads_elsewhere(browser: Browser, then: str) -> None:
    assert await sign_in_with(browser, then) == "/device"


async def test_a_code_goes_first(browser: Browser) -> None:
    path = "/login?user_code=WDJB-MJHT"
    location = await sign_in_with(browser, "devices", path, user_code="WDJB-MJHT")
    assert location == "/device?user_code=WDJB-MJHT"


async def test_a_wrong_password_keeps_the_way(browser: Browser) -> None:
    await browser.open("/account")
    await browser.follow()
    await browser.send_password(username="ada", password="wrong")
    await browser.send_password(username="ada", password="ada")
    assert browser.answer.headers["Location"] == "/account"


async def test_the_cookie_is_no_longer_than_needed(browser: Browser) -> None:
    await browser.open("/account")
    cookie = browser.answer.cookies[THEN]
    assert (cookie.value, cookie["max-age"], cookie["httponly"]) == ("devices", "600", True)
    assert cookie["samesite"] == "Lax"
