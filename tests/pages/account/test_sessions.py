"""The browsers in which a person is signed in are seen, and signed out by that person alone."""

from tests.stage.pages import COOKIE, Browser, OpenBrowser, Store

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1"
)


def csrf_token(browser: Browser) -> str:
    """The token of the form in the footer, which is that of all forms."""
    return browser.page.partition('name="csrf_token" value="')[2].partition('"')[0]


async def signed_in(open_browser: OpenBrowser, name: str, agent: str) -> Browser:
    browser = await open_browser()
    await browser.open("/login")
    fields = browser.hidden | {"username": name, "password": name}
    await browser.post("/login", data=fields, headers={"User-Agent": agent})
    return browser


async def test_browsers_are_listed_with_this_one_first(
    open_browser: OpenBrowser, store: Store
) -> None:
    phone = await signed_in(open_browser, "ada", IPHONE)
    await signed_in(open_browser, "ada", FIREFOX)
    await signed_in(open_browser, "bob", FIREFOX)
    await phone.open("/account/sessions")
    assert phone.page.count('class="thing"') == 2
    assert phone.text.index("Safari on iPhone this one") < phone.text.index("Firefox on Linux")
    assert "signed in just now · 127.0.0.1" in phone.text
    for session_id in store.sessions.by_id:
        assert session_id not in phone.page, "no page shows what a cookie has"


async def test_another_browser_is_signed_out(open_browser: OpenBrowser) -> None:
    phone = await signed_in(open_browser, "ada", IPHONE)
    desktop = await signed_in(open_browser, "ada", FIREFOX)
    await phone.open("/account/sessions")
    await phone.submit("/account/sessions", session="name-of-session-2")
    await phone.follow()
    assert "You are signed out in that browser." in phone.text
    assert "Firefox" not in phone.text
    await desktop.open("/account")
    assert desktop.answer.headers["Location"] == "/login"


async def test_all_others_are_signed_out(open_browser: OpenBrowser, store: Store) -> None:
    phone = await signed_in(open_browser, "ada", IPHONE)
    for _ in range(3):
        await signed_in(open_browser, "ada", FIREFOX)
    bob = await signed_in(open_browser, "bob", FIREFOX)
    await phone.open("/account/sessions")
    await phone.submit("/account/sessions", session="others")
    await phone.follow()
    assert "You are signed out in all other browsers." in phone.text
    assert len(store.sessions.by_id) == 2
    await bob.open("/account")
    assert bob.answer.status == 200


async def test_a_session_of_another_person_looks_like_none(
    open_browser: OpenBrowser, store: Store
) -> None:
    ada = await signed_in(open_browser, "ada", FIREFOX)
    await signed_in(open_browser, "bob", FIREFOX)
    await ada.open("/account/sessions")
    token = {"csrf_token": csrf_token(ada)}
    for name in ("name-of-session-2", "", "x"):
        await ada.post("/account/sessions", data=token | {"session": name})
        await ada.follow()
        assert "This is no longer connected." in ada.text
    assert len(store.sessions.by_id) == 2


async def test_the_own_session_can_be_ended_too(ada: Browser) -> None:
    """By a form that somebody has kept: the footer has the button for that."""
    await ada.open("/account/sessions")
    fields = {"csrf_token": csrf_token(ada), "session": "name-of-session-1"}
    await ada.post("/account/sessions", data=fields)
    await ada.follow()
    assert ada.answer.url.path == "/login"


async def test_a_stranger_comes_back_here(browser: Browser) -> None:
    await browser.open("/account/sessions")
    await browser.follow()
    await browser.send_password(username="ada", password="ada")
    assert browser.answer.headers["Location"] == "/account/sessions"
    assert COOKIE in browser.answer.cookies
