"""Sign in and sign out: sessions, the cookie, limits, and answers that give nothing away."""

import msgspec
import pytest

from deviceflow.config import Settings
from tests.stage.pages import Browser, OpenBrowser, Store


async def test_sign_in_leads_to_the_device_page(browser: Browser, store: Store) -> None:
    """9700-4.12-a: 303 after a POST, never 307, which would repeat the password."""
    answer = await browser.sign_in()
    assert (answer.status, answer.headers["Location"]) == (303, "/device")
    [session] = store.sessions.by_id.values()
    assert (session.username, session.sub, session.auth_time) == (
        "ada",
        "sub-ada",
        store.grants.now,
    )
    assert (await browser.open("/device")).status == 200


@pytest.mark.parametrize("text", ["WDJB-MJHT", "wdjb mjht"])
async def test_sign_in_carries_the_code_along(browser: Browser, text: str) -> None:
    """8628-3.3.1-a: who came by verification_uri_complete need not type the code."""
    await browser.open("/login", params={"user_code": text})
    answer = await browser.submit("/login", username="ada", password="ada")
    assert answer.headers["Location"] == "/device?user_code=WDJB-MJHT"


async def test_a_code_in_the_address_of_the_post_is_carried_too(browser: Browser) -> None:
    await browser.open("/login")
    answer = await browser.submit("/login?user_code=WDJBMJHT", username="ada", password="ada")
    assert answer.headers["Location"] == "/device?user_code=WDJB-MJHT"


@pytest.mark.parametrize("text", ["//evil.example", "https://evil.example", "\r\nX-Evil: 1"])
async def test_sign_in_continues_nowhere_else(browser: Browser, text: str) -> None:
    """9700-4.11.2-a, 6749-10.15: no open redirector."""
    await browser.open("/login", params={"user_code": text, "next": text})
    fields = {"username": "ada", "password": "ada", "user_code": text, "next": text}
    answer = await browser.submit("/login", **fields)
    assert answer.headers["Location"] == "/device"
    assert "X-Evil" not in answer.headers


async def test_somebody_who_is_signed_in_goes_on(ada: Browser) -> None:
    answer = await ada.open("/login?user_code=WDJB-MJHT")
    assert (answer.status, answer.headers["Location"]) == (303, "/device?user_code=WDJB-MJHT")


# Wrong sign-ins


async def test_all_wrong_sign_ins_get_the_same_answer(browser: Browser, store: Store) -> None:
    """CONFORMANCE 4: the same text, status and time for unknown, wrong and disabled."""
    answers = set()
    for username, password in [("ada", "wrong"), ("nobody", "nobody"), ("eve", "eve")]:
        answer = await browser.sign_in(username, password)
        answers.add((answer.status, browser.page.replace(f'value="{username}"', "")))
        assert "Set-Cookie" not in answer.headers
    assert [status for status, _ in answers] == [403]
    assert "That did not work." in browser.text
    assert store.users.verified == ["ada", "nobody", "eve"], "each of them cost one verification"
    assert store.sessions.by_id == {}


@pytest.mark.parametrize(
    "fields", [{}, {"username": "ada"}, {"password": "ada"}, {"username": " ", "password": "x"}]
)
async def test_a_missing_field(browser: Browser, store: Store, fields: dict[str, str]) -> None:
    await browser.open("/login")
    answer = await browser.submit("/login", **fields)
    assert answer.status == 400
    assert "Fill in both your username and your password." in browser.text
    assert store.users.verified == []


async def test_the_username_stays_escaped_and_the_password_does_not_stay(
    browser: Browser,
) -> None:
    """6749-10.14-a: what comes in goes out as text."""
    await browser.sign_in('"><script>', "hunter2")
    assert "<script" not in browser.page
    assert "&gt;&lt;script&gt;" in browser.page
    assert "hunter2" not in browser.page


@pytest.mark.parametrize("username", ["ada", "nobody"])
async def test_guesses_at_one_account_are_slowed_down(
    browser: Browser, store: Store, username: str
) -> None:
    """Sign-in brute force: the same limit for users that there are and that there are not."""
    for _ in range(10):
        assert (await browser.sign_in(username, "wrong")).status == 403
    answer = await browser.sign_in(username.upper(), username)
    assert (answer.status, answer.headers["Retry-After"]) == (429, "60")
    assert "Nothing is locked for good." in browser.text
    assert len(store.users.verified) == 10, "no password is checked any more"
    assert (await browser.sign_in("bob")).status == 303, "others are not punished"


async def test_the_pause_grows(browser: Browser, store: Store) -> None:
    """Growing delay, no permanent lock."""
    store.limits.counts["sign-in-user-hour", "ada"] = 50
    answer = await browser.sign_in("ada")
    assert (answer.status, answer.headers["Retry-After"]) == (429, "3600")
    assert "Wait 60 minutes, then try again." in browser.text


async def test_a_success_resets_no_count(browser: Browser, store: Store) -> None:
    """A success that resets the limit (mistakes of others)."""
    await browser.sign_in("ada", "wrong")
    await browser.sign_in("ada")
    assert store.limits.counts["sign-in-user", "ada"] == 2


async def test_guesses_from_one_network_are_slowed_down(browser: Browser, store: Store) -> None:
    store.limits.counts["sign-in-address", "127.0.0.1"] = 60
    assert (await browser.sign_in("ada")).status == 429


# Sessions and the cookie


async def test_a_new_id_at_sign_in(browser: Browser, store: Store) -> None:
    """Session fixation: what the visitor came with is worth nothing afterwards."""
    first = (await browser.open("/login")).cookies["deviceflow"].value
    await browser.submit("/login", username="ada", password="ada")
    second = browser.answer.cookies["deviceflow"].value
    assert first != second
    assert list(store.sessions.by_id) == [second]


async def test_a_sign_in_ends_the_session_before_it(ada: Browser, store: Store) -> None:
    """The form of a page that was open before somebody else signed in again."""
    await ada.open("/device")
    await ada.submit("/login", username="bob", password="bob")
    assert [session.username for session in store.sessions.by_id.values()] == ["bob"]


async def test_a_planted_cookie_does_not_become_a_session(browser: Browser, store: Store) -> None:
    """Session fixation: the planted value is not the session's id."""
    planted = {"Cookie": f"deviceflow={'e' * 43}"}
    await browser.open("/login", headers=planted)
    fields = browser.hidden | {"username": "ada", "password": "ada"}
    answer = await browser.post("/login", data=fields, headers=planted)
    assert answer.status == 303
    assert "e" * 43 not in store.sessions.by_id


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


# Sign out


async def test_get_signs_nobody_out(ada: Browser, store: Store) -> None:
    """Changes only by POST."""
    answer = await ada.open("/logout")
    assert answer.status == 200
    assert "Sign out?" in ada.text
    assert len(store.sessions.by_id) == 1


async def test_sign_out(ada: Browser, store: Store) -> None:
    """9700-4.12-a: 303; the session ends in the store, not only in the browser."""
    await ada.open("/logout")
    answer = await ada.submit("/logout")
    assert (answer.status, answer.headers["Location"]) == (303, "/logout")
    assert answer.cookies["deviceflow"]["max-age"] == "0"
    assert store.sessions.by_id == {}
    await ada.open("/logout")
    assert "You are signed out" in ada.text


async def test_every_page_of_a_person_has_the_way_out(ada: Browser, store: Store) -> None:
    await ada.open("/device")
    assert 'action="/logout"' in ada.page
    answer = await ada.submit("/logout")
    assert answer.status == 303
    assert store.sessions.by_id == {}


async def test_the_store_out_of_reach(ada: Browser, store: Store) -> None:
    store.sessions.is_down = True
    answer = await ada.open("/login")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert "Try again in a few seconds." in ada.text
