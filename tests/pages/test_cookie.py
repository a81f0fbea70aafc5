"""The cookie's attributes, and values that this server did not make."""

import re

import msgspec
import pytest

from deviceflow.config import Settings
from deviceflow.pages.cookie import SessionCookie
from tests.stage.pages import COOKIE, Browser, OpenBrowser

TLS_ISSUER = "https://login.example.com"
TLS_NAME = SessionCookie(https=True, issuer=TLS_ISSUER).name


@pytest.mark.parametrize(
    "other",
    ["https://login.example.com:8443", "https://login.example.com/a", "https://b.example.com"],
)
def test_the_name_differs_by_issuer(other: str) -> None:
    """Browsers send a cookie to all ports and paths of a host."""
    name = SessionCookie(https=True, issuer=other).name
    assert name.startswith("__Host-deviceflow-")
    assert name != TLS_NAME
    assert re.fullmatch(r"[A-Za-z0-9_-]+", name)


@pytest.mark.parametrize("value", ["", "short", "x" * 44, "%" * 43, pytest.param("é" * 43, id="é")])
async def test_a_cookie_that_is_not_ours_is_replaced(browser: Browser, value: str) -> None:
    answer = await browser.open("/login", headers={"Cookie": f"{COOKIE}={value}"})
    assert answer.status == 200
    assert len(answer.cookies[COOKIE].value) == 43


async def test_the_cookie_on_loopback(browser: Browser) -> None:
    cookie = (await browser.open("/login")).cookies[COOKIE]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
    assert not cookie["secure"]
    assert (cookie["max-age"], cookie["expires"], cookie["domain"]) == ("", "", "")


async def test_the_cookie_with_tls(open_browser: OpenBrowser, settings: Settings) -> None:
    """CONFORMANCE 4: `__Host-`, Secure, HttpOnly, SameSite."""
    browser = await open_browser(msgspec.structs.replace(settings, issuer=TLS_ISSUER))
    cookie = (await browser.open("/login")).cookies[TLS_NAME]
    assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "Lax")
    assert (cookie["path"], cookie["domain"], cookie["max-age"]) == ("/", "", "")


async def test_a_browser_remembers_that_a_person_has_left(ada: Browser) -> None:
    """So a provider asks who it is, and does not sign the same person in again."""
    await ada.open("/logout")
    mark = (await ada.submit("/logout")).cookies[f"{COOKIE}-ended"]
    assert (mark.value, mark["httponly"], mark["samesite"]) == ("1", True, "Lax")
    await ada.sign_in()
    assert ada.answer.cookies[f"{COOKIE}-ended"]["max-age"] == "0"
