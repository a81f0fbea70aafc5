"""Forms count only when our own page sent them, for this browser (6749-10.12-a)."""

import pytest

from deviceflow.core.grant import State
from deviceflow.pages.csrf import Csrf
from tests.stage.pages import Browser, Store

CODE = "WDJBMJHT"


async def _send(ada: Browser, store: Store, **headers: str) -> int:
    store.grants.add(CODE)
    await ada.enter(CODE)
    fields = ada.hidden | {"decision": "approve"}
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return (await ada.post("/device/confirm", data=fields, headers=names)).status


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://127.0.0.1:8628"},
        {"Origin": "http://127.0.0.1:8628", "Sec_Fetch_Site": "same-origin"},
        {"Sec_Fetch_Site": "none"},
    ],
)
async def test_our_own_form_counts(ada: Browser, store: Store, headers: dict[str, str]) -> None:
    assert await _send(ada, store, **headers) == 303
    assert store.grants.by_code[CODE].state is State.APPROVED


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "http://127.0.0.1:8628.evil.example"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "http://127.0.0.1:8628", "Sec_Fetch_Site": "cross-site"},
    ],
)
async def test_a_form_of_another_site_does_not(
    ada: Browser, store: Store, headers: dict[str, str]
) -> None:
    """6749-10.12-a: even one that knows the token."""
    assert await _send(ada, store, **headers) == 403
    assert "Nothing was changed." in ada.text
    assert store.grants.by_code[CODE].state is State.PENDING


@pytest.mark.parametrize("token", [None, "", "0" * 64, "é"])
@pytest.mark.parametrize("path", ["/device", "/device/confirm", "/logout"])
async def test_no_form_counts_without_its_token(
    ada: Browser, store: Store, path: str, token: str | None
) -> None:
    """6749-10.12-a: on every form, sign-out too."""
    store.grants.add(CODE)
    fields = {"user_code": CODE, "username": "bob", "password": "bob"}
    if token is not None:
        fields["csrf_token"] = token
    await ada.post(path, data=fields)
    assert (await ada.follow()).status == 200
    words = "Sign out?" if path == "/logout" else "This page was out of date."
    assert words in ada.text
    assert store.grants.by_code[CODE].claimed_by is None
    assert store.grants.looked_up == []
    assert [session.username for session in store.sessions.by_id.values()] == ["ada"]


@pytest.mark.parametrize("token", [None, "", "0" * 64, "é"])
async def test_nobody_is_signed_in_without_the_token(
    browser: Browser, ada: Browser, store: Store, token: str | None
) -> None:
    """6749-10.12-a: neither a stranger, who gets the form again, nor another account than now."""
    before = dict(store.sessions.by_id)
    for visitor in (browser, ada):
        await visitor.open("/login")
        fields = {"username": "bob", "password": "bob"}
        await visitor.post("/login", data=fields | ({"csrf_token": token} if token else {}))
        assert (await visitor.follow()).status == 403
        assert "This page was out of date." in visitor.text
    assert store.sessions.by_id == before
    assert store.users.verified == ["ada"]


async def test_a_token_is_good_for_one_session_only(
    ada: Browser, bob: Browser, store: Store
) -> None:
    """CSRF: token bound to the session."""
    store.grants.add(CODE)
    await ada.open("/device")
    await bob.post("/device", data=ada.hidden | {"user_code": CODE})
    await bob.follow()
    assert "This page was out of date." in bob.text
    assert store.grants.looked_up == []


async def test_without_a_cookie_no_token_is_good(browser: Browser) -> None:
    await browser.open("/login")
    browser.client.session.cookie_jar.clear()
    answer = await browser.send_password(username="ada", password="ada")
    assert answer.status == 403
    assert "allow cookies for this site" in browser.text


def _token(key: bytes, cookie: str) -> str:
    return Csrf(keys=lambda: (key,), issuer="https://a.example").token(cookie)


def test_the_token_depends_on_key_and_cookie_and_tells_neither() -> None:
    token = _token(b"k" * 32, "cookie")
    assert len(token) == 64
    assert token != _token(b"l" * 32, "cookie")
    assert token != _token(b"k" * 32, "other")
