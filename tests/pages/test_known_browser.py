"""The cookie of a browser that has signed in before: whom it is for, and what is not in it."""

import re
from http.cookies import SimpleCookie

from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from deviceflow.pages.cookie import SessionCookie
from deviceflow.pages.known_browser import KEPT_S, MARKS, KnownBrowsers

BROWSERS = KnownBrowsers(
    cookie=SessionCookie(https=True, issuer="http://127.0.0.1:8628"), keys=lambda: (b"k" * 32,)
)
OTHERS = KnownBrowsers(
    cookie=SessionCookie(https=True, issuer="http://127.0.0.1:8628"), keys=lambda: (b"o" * 32,)
)
NAME = BROWSERS.name


def request(value: str = "") -> web.Request:
    return make_mocked_request("GET", "/", headers={"Cookie": f"{NAME}={value}"} if value else {})


def remembered(username: str, value: str = "") -> str:
    """The cookie of a browser that sent `value`, after `username` has signed in."""
    response = web.Response()
    BROWSERS.remember(request(value), response, username)
    return response.cookies[NAME].value


def test_a_browser_is_known_for_who_has_signed_in() -> None:
    cookie = remembered("ada")
    assert BROWSERS.mark(request(cookie), "ada")
    assert BROWSERS.mark(request(cookie), "bob") is None
    assert BROWSERS.mark(request(), "ada") is None


def test_each_browser_has_a_mark_of_its_own() -> None:
    marks = {BROWSERS.mark(request(remembered("ada")), "ada") for _ in range(9)}
    assert len(marks) == 9


def test_a_mark_stays_at_the_next_sign_in() -> None:
    """So nobody gets a new count by signing in again."""
    cookie = remembered("ada")
    again = remembered("ada", cookie)
    assert BROWSERS.mark(request(again), "ada") == BROWSERS.mark(request(cookie), "ada")


def test_a_family_shares_a_browser() -> None:
    cookie = ""
    for number in range(MARKS + 2):
        cookie = remembered(f"user-{number}", cookie)
    known = [n for n in range(MARKS + 2) if BROWSERS.mark(request(cookie), f"user-{n}")]
    assert known == list(range(2, MARKS + 2)), "those that signed in last"


def test_nobody_makes_a_mark() -> None:
    """Not by changing one, not by taking one of another account or installation."""
    cookie = remembered("ada")
    for index in range(len(cookie)):
        changed = "A" if cookie[index] != "A" else "B"
        forged = cookie[:index] + changed + cookie[index + 1 :]
        # The last character has bits that mean nothing.
        assert BROWSERS.mark(request(forged), "ada") is None or index == len(cookie) - 1
    for text in ("x", ".", "a" * 38, "." * 4000, "é"):
        assert BROWSERS.mark(request(text), "ada") is None
    assert OTHERS.mark(request(cookie), "ada") is None


def test_it_names_nobody_and_is_kept_safely() -> None:
    response = web.Response()
    BROWSERS.remember(request(), response, "ada")
    morsel = SimpleCookie(response.cookies[NAME].OutputString())[NAME]
    assert "ada" not in morsel.value
    assert (morsel["httponly"], morsel["secure"], morsel["samesite"]) == (True, True, "Lax")
    assert (morsel["path"], morsel["max-age"], morsel["domain"]) == ("/", str(KEPT_S), "")


def test_its_name_without_tls() -> None:
    plain = KnownBrowsers(
        cookie=SessionCookie(https=False, issuer="http://127.0.0.1:8628"), keys=lambda: (b"k" * 32,)
    )
    assert re.fullmatch(r"deviceflow-[A-Za-z0-9_-]{8}-known", plain.name)
    assert re.fullmatch(r"__Host-deviceflow-[A-Za-z0-9_-]{8}-known", NAME)
