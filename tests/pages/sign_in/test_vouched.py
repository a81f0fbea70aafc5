"""Sign in as the person whom a proxy names: by a button, and only behind that proxy."""

import pytest
from msgspec.structs import replace

from deviceflow.config import Server, Settings
from deviceflow.config.sections import SignIn
from tests.stage.factors import enter_code, give_app
from tests.stage.pages import TV, Browser, OpenBrowser, Store

HEADER = "X-Remote-User"
SETTINGS = Settings(
    issuer="http://127.0.0.1:8628",
    server=Server(trusted_proxies=("127.0.0.0/8",)),
    sign_in=SignIn(trusted_header=HEADER),
    clients=(TV,),
)
ADA = {HEADER: "ada"}


@pytest.fixture
async def browser(open_browser: OpenBrowser) -> Browser:
    return await open_browser(SETTINGS)


async def press(browser: Browser, headers: dict[str, str]) -> None:
    """Open the page as the proxy's person, and press the button."""
    await browser.open("/login?user_code=WDJB-MJHT", headers=ADA)
    await browser.post("/login/proxy", data=browser.hidden, headers=headers)


async def test_the_button_signs_in(browser: Browser, store: Store) -> None:
    await browser.open("/login", headers=ADA)
    assert "Go on as ada" in browser.text
    assert store.sessions.by_id == {}, "a GET changes nothing"
    await press(browser, ADA)
    assert browser.answer.headers["Location"] == "/device?user_code=WDJB-MJHT"
    [session] = store.sessions.by_id.values()
    assert (session.username, session.amr, session.acr) == ("ada", (), None)
    assert (await browser.open("/device", headers=ADA)).status == 200


async def test_without_the_header_there_is_no_button(browser: Browser, store: Store) -> None:
    await browser.open("/login")
    assert "/login/proxy" not in browser.page
    await press(browser, {})
    assert browser.answer.headers["Location"].endswith("notice=vouched")
    assert (await browser.follow()).status == 403
    assert store.sessions.by_id == {}


@pytest.mark.parametrize("name", ["nobody", "eve", "", "\u202eada"])
async def test_a_name_without_an_account_that_may_sign_in(
    browser: Browser, store: Store, name: str
) -> None:
    await press(browser, {HEADER: name})
    assert store.sessions.by_id == {}
    assert "nobody" not in store.users.accounts


async def test_the_header_from_elsewhere_means_nothing(
    open_browser: OpenBrowser, store: Store
) -> None:
    elsewhere = replace(SETTINGS, server=Server(trusted_proxies=("10.0.0.0/8",)))
    browser = await open_browser(elsewhere)
    await browser.open("/login", headers=ADA)
    assert "/login/proxy" not in browser.page
    await press(browser, ADA)
    assert store.sessions.by_id == {}


async def test_off_by_default(open_browser: OpenBrowser, store: Store) -> None:
    browser = await open_browser(replace(SETTINGS, sign_in=SignIn()))
    await browser.open("/login", headers=ADA)
    assert "Go on as" not in browser.text
    assert (await browser.post("/login/proxy", headers=ADA)).status == 404
    assert store.sessions.by_id == {}


async def test_an_account_is_made_if_the_settings_say_so(
    open_browser: OpenBrowser, store: Store
) -> None:
    creating = SignIn(trusted_header=HEADER, trusted_header_creates=True)
    browser = await open_browser(replace(SETTINGS, sign_in=creating))
    await browser.open("/login", headers={HEADER: "Grace"})
    await browser.post("/login/proxy", data=browser.hidden, headers={HEADER: "Grace"})
    [session] = store.sessions.by_id.values()
    assert session.username == "grace"
    assert store.users.accounts["grace"].password_hash == ""
    await browser.open("/account/security", headers={HEADER: "Grace"})
    assert "/account/security/password" not in browser.page, "it has none to change"


async def test_another_person_at_the_proxy_has_another_session(
    browser: Browser, store: Store
) -> None:
    """Somebody else has signed in to the single sign-on, in the same browser."""
    await press(browser, ADA)
    answer = await browser.open("/device", headers={HEADER: "bob"})
    assert answer.headers["Location"] == "/login"
    await browser.open("/login", headers={HEADER: "bob"})
    assert "Go on as bob" in browser.text
    await browser.post("/login/proxy", data=browser.hidden, headers={HEADER: "bob"})
    assert [each.username for each in store.sessions.by_id.values()] == ["bob"]


async def test_a_person_with_a_factor_is_asked_for_it(browser: Browser, store: Store) -> None:
    app = give_app(store)
    await press(browser, ADA)
    assert browser.answer.headers["Location"].startswith("/login/second")
    assert store.sessions.by_id == {}
    await browser.follow()
    await enter_code(browser, app, store)
    [session] = store.sessions.by_id.values()
    assert session.amr == ("otp", "mfa")


async def test_a_form_of_another_site(browser: Browser, store: Store) -> None:
    await browser.open("/login", headers=ADA)
    origin = {"Origin": "https://evil.example"}
    answer = await browser.post("/login/proxy", data=browser.hidden, headers=ADA | origin)
    assert answer.status == 403
    answer = await browser.post("/login/proxy", data={"csrf_token": "x"}, headers=ADA)
    assert answer.headers["Location"] == "/login?notice=outdated"
    browser.client.session.cookie_jar.clear()
    answer = await browser.post("/login/proxy", data={"csrf_token": "x"}, headers=ADA)
    assert answer.headers["Location"] == "/login?notice=no_cookie"
    assert store.sessions.by_id == {}
