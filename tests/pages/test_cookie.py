"""The cookie's attributes, and values that this server did not make."""

import msgspec
import pytest

from deviceflow.config import Settings
from tests.stage.pages import Browser, OpenBrowser


@pytest.mark.parametrize("value", ["", "short", "x" * 44, "%" * 43, pytest.param("é" * 43, id="é")])
async def test_a_cookie_that_is_not_ours_is_replaced(browser: Browser, value: str) -> None:
    answer = await browser.open("/login", headers={"Cookie": f"deviceflow={value}"})
    assert answer.status == 200
    assert len(answer.cookies["deviceflow"].value) == 43


async def test_the_cookie_on_loopback(browser: Browser) -> None:
    cookie = (await browser.open("/login")).cookies["deviceflow"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
    assert not cookie["secure"]
    assert (cookie["max-age"], cookie["expires"], cookie["domain"]) == ("", "", "")


async def test_the_cookie_with_tls(open_browser: OpenBrowser, settings: Settings) -> None:
    """CONFORMANCE 4: `__Host-`, Secure, HttpOnly, SameSite."""
    browser = await open_browser(
        msgspec.structs.replace(settings, issuer="https://login.example.com")
    )
    cookie = (await browser.open("/login")).cookies["__Host-deviceflow"]
    assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "Lax")
    assert (cookie["path"], cookie["domain"], cookie["max-age"]) == ("/", "", "")
