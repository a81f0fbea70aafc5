"""The cookie with the name of a sign-in that failed."""

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from deviceflow.pages.cookie import SessionCookie
from deviceflow.pages.sign_in.typed_name import LONGEST, TYPED_NAME_S, TypedName

TYPED = TypedName(cookie=SessionCookie(https=True, issuer="https://login.example"))


def read(value: str) -> str:
    headers = {"Cookie": f"{TYPED.name}={value}"}
    return TYPED.read(make_mocked_request("GET", "/login", headers=headers))


def written(name: str) -> str:
    response = web.Response()
    TYPED.write(response, name)
    return response.cookies[TYPED.name].value


@pytest.mark.parametrize("name", ["ada", "J\u00f6rg", "", '"><script>', "a; b=c"])
def test_a_name_comes_back(name: str) -> None:
    assert read(written(name)) == name


def test_a_long_name_is_cut() -> None:
    assert read(written("a" * 9999)) == "a" * LONGEST


@pytest.mark.parametrize("value", ["%", "a", "_w", "="])
def test_another_value_is_no_name(value: str) -> None:
    assert read(value) == ""


def test_the_cookie_is_short_lived_and_out_of_reach_of_scripts() -> None:
    response = web.Response()
    TYPED.write(response, "ada")
    cookie = response.cookies[TYPED.name]
    assert TYPED.name.startswith("__Host-")
    assert (cookie["httponly"], cookie["secure"], cookie["samesite"]) == (True, True, "Lax")
    assert cookie["max-age"] == str(TYPED_NAME_S)
    assert TYPED_NAME_S <= 120, "it may be a password, and the next person may use the browser"
