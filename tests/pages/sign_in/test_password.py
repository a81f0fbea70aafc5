"""Sign in by password: where it leads, and answers that give nothing away."""

import pytest

from deviceflow.store.hashing import HashingBusy, SenderGone
from tests.stage.pages import Browser, Store
from tests.stage.waiting import turns_until


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


# A form that comes twice, or late


@pytest.mark.parametrize("username", ["ada", "Ada", ""])
async def test_a_form_sent_twice_goes_on(browser: Browser, store: Store, username: str) -> None:
    """A password manager and a click, a second tab, a tab that was restored."""
    await browser.open("/login?user_code=WDJB-MJHT")
    form = browser.hidden
    await browser.post("/login", data=form | {"username": "ada", "password": "ada"})
    answer = await browser.post("/login", data=form | {"username": username, "password": "ada"})
    assert (answer.status, answer.headers["Location"]) == (303, "/device?user_code=WDJB-MJHT")
    assert len(store.sessions.by_id) == 1
    assert store.users.verified == ["ada"]


async def test_a_form_of_another_account_is_not_taken_for_this_one(
    browser: Browser, store: Store
) -> None:
    """Going on as Ada after Bob's name was typed would connect the device to the wrong account."""
    await browser.open("/login?user_code=WDJB-MJHT")
    form = browser.hidden
    await browser.post("/login", data=form | {"username": "ada", "password": "ada"})
    await browser.post("/login", data=form | {"username": "bob", "password": "bob"})
    assert (await browser.follow()).status == 403
    assert 'value="bob"' in browser.page
    await browser.submit("/login", username="bob", password="bob")
    assert [session.username for session in store.sessions.by_id.values()] == ["bob"]


async def test_a_form_that_is_out_of_date_comes_again_with_name_and_code(
    browser: Browser, store: Store
) -> None:
    """The browser has another cookie now; what was typed stays, but for the password."""
    await browser.open("/login?user_code=WDJB-MJHT")
    form = browser.hidden
    browser.client.session.cookie_jar.clear()
    await browser.open("/login")
    await browser.post("/login", data=form | {"username": "ada", "password": "hunter2"})
    assert (await browser.follow()).status == 403
    assert browser.title.startswith("Not signed in")
    assert "This page was out of date." in browser.text
    assert 'value="ada"' in browser.page
    assert "hunter2" not in browser.page
    answer = await browser.submit("/login", username="ada", password="ada")
    assert (answer.status, answer.headers["Location"]) == (303, "/device?user_code=WDJB-MJHT")
    assert len(store.sessions.by_id) == 1


async def test_a_browser_that_has_lost_its_cookie_gets_one_with_the_form(
    browser: Browser, store: Store
) -> None:
    """A tab that the browser restores after it was closed; cookies may also be forbidden."""
    await browser.open("/login?user_code=WDJB-MJHT")
    browser.client.session.cookie_jar.clear()
    answer = await browser.send_password(username="ada", password="ada")
    assert answer.status == 403
    assert "allow cookies for this site" in browser.text
    assert 'value="ada"' in browser.page
    answer = await browser.submit("/login", username="ada", password="ada")
    assert (answer.status, answer.headers["Location"]) == (303, "/device?user_code=WDJB-MJHT")
    assert len(store.sessions.by_id) == 1


@pytest.mark.parametrize(
    ("notice", "words"),
    [
        ("ended", "You are no longer signed in."),
        ("switched", "You are signed out."),
        ("x", "Then you connect your device."),
    ],
)
async def test_the_form_says_why_it_is_shown(browser: Browser, notice: str, words: str) -> None:
    await browser.open(f"/login?notice={notice}")
    assert words in browser.text


async def test_a_title_says_that_the_sign_in_failed(browser: Browser) -> None:
    await browser.sign_in("ada", "wrong")
    assert browser.title.startswith("Not signed in")


# Wrong sign-ins


async def test_a_wrong_password_that_is_loaded_again_spends_no_guess(
    browser: Browser, store: Store
) -> None:
    """POST, 303, GET: Back and reload show the form, with the name and the code in it."""
    await browser.open("/login?user_code=WDJB-MJHT")
    answer = await browser.submit("/login", username="ada", password="hunter2")
    assert (answer.status, answer.headers["Location"]) == (
        303,
        "/login?user_code=WDJB-MJHT&notice=wrong",
    )
    await browser.follow()
    for _ in range(3):
        answer = await browser.open("/login?user_code=WDJB-MJHT&notice=wrong")
        assert answer.status == 403
        assert 'value="ada"' in browser.page
        assert browser.hidden["user_code"] == "WDJB-MJHT"
    assert store.users.verified == ["ada"]
    assert store.limits.counted("sign-in.account", "ada") == 1
    await browser.open("/login")
    assert 'value="ada"' not in browser.page, "the next person at this browser begins anew"
    await browser.submit("/login", username="ada", password="ada")
    answer = await browser.open("/login?user_code=WDJB-MJHT&notice=wrong")
    assert answer.headers["Location"] == "/device?user_code=WDJB-MJHT"


async def test_a_browser_that_refuses_cookies_is_told(browser: Browser) -> None:
    """Also after a redirect, which brings it back without a cookie."""
    await browser.open("/login")
    for _ in range(2):
        browser.client.session.cookie_jar.clear()
        await browser.submit("/login", username="ada", password="ada")
        browser.client.session.cookie_jar.clear()
        await browser.follow()
        assert "allow cookies for this site" in browser.text


async def test_all_wrong_sign_ins_get_the_same_answer(browser: Browser, store: Store) -> None:
    """CONFORMANCE 4: the same text, status and time for unknown, wrong and disabled."""
    answers = set()
    for username, password in [("ada", "wrong"), ("nobody", "nobody"), ("eve", "eve")]:
        answer = await browser.sign_in(username, password)
        answers.add((answer.status, browser.page.replace(f'value="{username}"', "")))
        assert "Set-Cookie" not in answer.headers
        assert "csrf_token" in browser.hidden
    assert [status for status, _ in answers] == [403]
    assert "That did not work." in browser.text
    assert store.users.verified == ["ada", "nobody", "eve"], "each of them cost one verification"
    assert store.sessions.by_id == {}


@pytest.mark.parametrize(
    "fields", [{}, {"username": "ada"}, {"password": "ada"}, {"username": " ", "password": "x"}]
)
async def test_a_missing_field(browser: Browser, store: Store, fields: dict[str, str]) -> None:
    await browser.open("/login")
    answer = await browser.send_password(**fields)
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


# When many people sign in


async def test_too_many_others_are_signing_in(browser: Browser, store: Store) -> None:
    """503 with a time to come back; the attempt was no guess, the code and the name are kept."""
    store.users.hinders = HashingBusy()
    answer = await browser.sign_in()
    assert (answer.status, answer.headers["Retry-After"]) == (503, "40")
    assert "Many people are signing in" in browser.text
    assert store.limits.keys("sign-in.account") == set()
    store.users.hinders = None
    assert (await browser.sign_in()).status == 303


async def test_somebody_who_does_not_wait_has_tried(browser: Browser, store: Store) -> None:
    """Otherwise the limits would not count what a stranger sends without waiting."""
    store.users.hinders = SenderGone()
    await browser.sign_in()
    assert store.limits.keys("sign-in.account") == {"ada"}


async def test_the_line_knows_the_address_and_who_has_gone(browser: Browser, store: Store) -> None:
    await browser.sign_in()
    [sender] = store.users.senders
    assert sender.key == "127.0.0.1"
    assert not sender.has_gone()
    await browser.client.close()
    await turns_until(sender.has_gone)
