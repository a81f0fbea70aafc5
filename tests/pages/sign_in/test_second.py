"""The second step: nobody is signed in without it, and each code is good once."""

import re

import pytest
from msgspec.structs import replace

from deviceflow.core.assurance import SECOND_FACTOR
from deviceflow.pages.sign_in.half_way import HALF_WAY_S
from deviceflow.store.factors import Factors
from tests.stage.factors import App, enter_code, give_app
from tests.stage.pages import COOKIE, Browser, OpenBrowser, Store

RECOVERY = "BCDFGHJKLMNPQRST"


@pytest.fixture
def app(store: Store) -> App:
    return give_app(store, recovery=(RECOVERY, RECOVERY[::-1]))


async def half_way(browser: Browser, code: str = "") -> None:
    """Type the right password, and go to the page that asks for more."""
    await browser.open(f"/login?user_code={code}" if code else "/login")
    await browser.submit("/login", username="ada", password="ada")
    await browser.follow()


@pytest.mark.usefixtures("app")
async def test_a_password_alone_is_no_session(browser: Browser, store: Store) -> None:
    await half_way(browser, "WDJB-MJHT")
    assert "Second step" in browser.text
    assert store.sessions.by_id == {}
    answer = await browser.open("/device?user_code=WDJB-MJHT")
    assert answer.headers["Location"] == "/login?user_code=WDJB-MJHT"


async def test_a_code_of_the_app_signs_in_and_keeps_the_user_code(
    browser: Browser, store: Store, app: App
) -> None:
    await half_way(browser, "WDJB-MJHT")
    answer = await browser.submit("/login/second", code=app.code(store.grants.now))
    assert (answer.status, answer.headers["Location"]) == (303, "/device?user_code=WDJB-MJHT")
    [session] = store.sessions.by_id.values()
    assert session.amr == ("pwd", "otp", "mfa")
    assert session.acr == SECOND_FACTOR
    assert (await browser.open("/device")).status == 200


@pytest.mark.parametrize("steps", [-1, 1])
async def test_a_clock_may_be_half_a_minute_wrong(
    browser: Browser, store: Store, app: App, steps: int
) -> None:
    await half_way(browser)
    await browser.submit("/login/second", code=f" {app.code(store.grants.now, steps)} ")
    assert len(store.sessions.by_id) == 1


@pytest.mark.parametrize(
    "code", ["000000", "12345", "1234567", "abcdef", "\u0660" * 6, "-00001", " ", "0" * 900]
)
@pytest.mark.usefixtures("app")
async def test_a_wrong_code_leads_back(browser: Browser, store: Store, code: str) -> None:
    await half_way(browser, "WDJB-MJHT")
    await browser.submit("/login/second", code=code)
    answer = await browser.follow()
    assert answer.status == 403
    assert browser.title.startswith("Not signed in yet")
    assert browser.hidden["user_code"] == "WDJB-MJHT"
    assert store.sessions.by_id == {}
    assert code.strip() == "" or code not in browser.page


async def test_a_code_counts_once(open_browser: OpenBrowser, store: Store, app: App) -> None:
    """RFC 6238 5.2: a code that somebody has seen being typed is worth nothing."""
    first, second = await open_browser(), await open_browser()
    for browser in (first, second):
        await half_way(browser)
        await enter_code(browser, app, store)
    assert len(store.sessions.by_id) == 1
    assert (await second.follow()).status == 403
    await second.submit("/login/second", code=app.code(store.grants.now, -1))
    assert len(store.sessions.by_id) == 1, "nor does an earlier one"


@pytest.mark.usefixtures("app")
async def test_a_recovery_code_counts_once(open_browser: OpenBrowser, store: Store) -> None:
    typed = "bcdf-ghjk lmnp-qrst"
    first, second = await open_browser(), await open_browser()
    for browser in (first, second):
        await half_way(browser)
        await browser.submit("/login/second", recovery_code=typed)
    assert len(store.sessions.by_id) == 1
    assert len(store.factors.by_sub["sub-ada"].recovery) == 1
    assert (await second.follow()).status == 403
    assert "That recovery code did not work" in second.text


@pytest.mark.parametrize("typed", ["", "BCDF", RECOVERY + "B", "A" * 16, "\0" * 16, "ß" * 16])
@pytest.mark.usefixtures("app")
async def test_what_is_no_recovery_code(browser: Browser, store: Store, typed: str) -> None:
    await half_way(browser)
    await browser.submit("/login/second", recovery_code=typed)
    assert (await browser.follow()).status in {400, 403}
    assert store.sessions.by_id == {}


async def test_guesses_are_limited(browser: Browser, store: Store, app: App) -> None:
    await half_way(browser)
    form = browser.hidden
    for _ in range(20):
        await browser.post("/login/second", data=form | {"code": "000000"})
    right = form | {"code": app.code(store.grants.now)}
    answer = await browser.post("/login/second", data=right)
    assert re.match(r"/login/second\?(.*&)?pause=", answer.headers["Location"])
    assert (await browser.follow()).status == 429
    assert store.sessions.by_id == {}
    store.grants.now += 2
    await browser.follow()
    await half_way(browser)
    await enter_code(browser, app, store)
    assert len(store.sessions.by_id) == 1


async def test_a_right_code_is_no_guess(browser: Browser, store: Store, app: App) -> None:
    await half_way(browser)
    await enter_code(browser, app, store)
    assert store.limits.keys("second-factor.account") == set()
    assert store.limits.keys("sign-in.address") == set()


# The state between the steps


@pytest.mark.usefixtures("app")
async def test_it_counts_in_its_own_browser_only(
    browser: Browser, open_browser: OpenBrowser
) -> None:
    await half_way(browser)
    stolen = {name: value for name, value in cookies(browser).items() if "-second" in name}
    assert stolen
    other = await open_browser()
    await other.open("/login")
    answer = await other.open("/login/second", cookies=stolen)
    assert answer.headers["Location"] == "/login"


async def test_it_ends(browser: Browser, store: Store, app: App) -> None:
    await half_way(browser)
    form = browser.hidden
    store.grants.now += HALF_WAY_S
    answer = await browser.post("/login/second", data=form | {"code": app.code(store.grants.now)})
    assert answer.headers["Location"] == "/login"
    assert store.sessions.by_id == {}


@pytest.mark.parametrize("changes", [{"disabled": True}, {"password_hash": "x"}, {"sub": "new"}])
async def test_it_ends_with_what_it_rests_on(
    browser: Browser, store: Store, app: App, changes: dict[str, object]
) -> None:
    """The account was disabled, has another password, or is another one of the same name."""
    await half_way(browser)
    form = browser.hidden
    store.users.accounts["ada"] = replace(store.users.accounts["ada"], **changes)
    answer = await browser.post("/login/second", data=form | {"code": app.code(store.grants.now)})
    assert answer.headers["Location"] == "/login"
    assert store.sessions.by_id == {}


@pytest.mark.usefixtures("app")
async def test_a_removed_account(browser: Browser, store: Store) -> None:
    await half_way(browser)
    del store.users.accounts["ada"]
    assert (await browser.open("/login/second")).headers["Location"] == "/login"


@pytest.mark.parametrize("value", ["", "x", "YWRh.9999999999.", "YWRh.x.y", "%%%.1.1", "é.1.2"])
@pytest.mark.usefixtures("app")
async def test_a_made_up_state(browser: Browser, value: str) -> None:
    await browser.open("/login")
    cookie = f"{COOKIE}-second={value}".encode().decode("latin-1")
    answer = await browser.open("/login/second", headers={"Cookie": cookie})
    assert answer.headers["Location"] == "/login"


async def test_a_form_of_another_browser(browser: Browser, store: Store, app: App) -> None:
    await half_way(browser)
    fields = {"csrf_token": "x" * 64, "code": app.code(store.grants.now)}
    await browser.post("/login/second", data=fields)
    assert (await browser.follow()).status == 403
    assert "out of date" in browser.text
    assert store.sessions.by_id == {}


async def test_a_store_that_is_away(browser: Browser, store: Store, app: App) -> None:
    await half_way(browser)
    store.factors.is_down = True
    answer = await browser.submit("/login/second", code=app.code(store.grants.now))
    assert answer.status == 503
    assert store.sessions.by_id == {}
    store.factors.is_down = False
    await half_way(browser)
    store.factors.is_down = True
    await browser.open("/login")
    answer = await browser.submit("/login", username="ada", password="ada")
    assert answer.status == 503, "nobody is signed in because a look was impossible"


async def test_without_a_factor_nothing_is_asked(browser: Browser, store: Store) -> None:
    await browser.sign_in()
    [session] = store.sessions.by_id.values()
    assert (session.amr, session.acr) == (("pwd",), None)
    assert (await browser.open("/login/second")).headers["Location"] == "/device"


async def test_a_session_can_be_raised(ada: Browser, store: Store) -> None:
    """The factor was added in another browser: this session proves it, and is as old as it was."""
    app = give_app(store)
    store.grants.now += 100
    assert (await ada.open("/login/second?next=confirm&user_code=WDJB-MJHT")).status == 200
    answer = await ada.submit("/login/second", code=app.code(store.grants.now))
    assert answer.headers["Location"] == "/device/confirm?user_code=WDJB-MJHT"
    [session] = store.sessions.by_id.values()
    assert session.amr == ("pwd", "otp", "mfa")
    assert session.auth_time == store.grants.now - 100


async def test_recovery_without_an_app_is_offered_openly(browser: Browser, store: Store) -> None:
    give_app(store, recovery=(RECOVERY,))
    await half_way(browser)
    assert "<details" in browser.page
    store.factors.by_sub["sub-ada"] = Factors()
    await browser.open("/login/second")
    assert "one-time-code" not in browser.page


def cookies(browser: Browser) -> dict[str, str]:
    return {cookie.key: cookie.value for cookie in browser.client.session.cookie_jar}
