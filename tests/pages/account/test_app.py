"""An authenticator app: set up by a first code, removed by a fresh sign-in."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from pyotp import parse_uri

from deviceflow.core.assurance import SECOND_FACTOR
from deviceflow.pages.account.owner import FRESH_S, VERY_FRESH_S
from tests.stage.factors import App, give_app
from tests.stage.pages import Browser, OpenBrowser, Store, check_headers

PATH = "/account/security/app"


async def set_up(browser: Browser) -> App:
    """Open the page, and scan its QR code."""
    await browser.open(PATH)
    await browser.follow()
    uri = re.search(r'href="(otpauth://[^"]+)"', browser.page)
    assert uri is not None
    return App(parse_qs(urlsplit(uri[1].replace("&amp;", "&")).query)["secret"][0])


async def test_an_app_is_set_up_by_its_first_code(ada: Browser, store: Store) -> None:
    app = await set_up(ada)
    check_headers(ada.answer)
    assert "".join(ada.text.split()).find(app.secret) > 0, "the secret is there as text too"
    await ada.submit(PATH, code=app.code(store.grants.now))
    await ada.follow()
    codes = re.findall(r"<li>([A-Z]{4}(?:-[A-Z]{4}){3})</li>", ada.page)
    assert len(set(codes)) == 10
    factors = store.factors.by_sub["sub-ada"]
    assert factors.authenticator is not None
    assert app.secret.encode() not in factors.authenticator.secret
    assert len(factors.recovery) == 10
    assert not set(codes) & set(factors.recovery)
    [session] = store.sessions.by_id.values()
    assert (session.amr, session.acr) == (("pwd", "otp", "mfa"), SECOND_FACTOR)


async def test_recovery_codes_are_shown_once(ada: Browser, store: Store) -> None:
    app = await set_up(ada)
    await ada.submit(PATH, code=app.code(store.grants.now))
    await ada.follow()
    await ada.open("/account/security/recovery-codes")
    assert "10 codes are left" in ada.text
    assert not re.search(r"[A-Z]{4}-[A-Z]{4}", ada.page)


async def test_what_the_qr_code_says(ada: Browser) -> None:
    await set_up(ada)
    uri = re.search(r'href="(otpauth://[^"]+)"', ada.page)
    assert uri is not None
    totp = parse_uri(uri[1].replace("&amp;", "&"))
    assert (totp.name, totp.issuer) == ("ada", "Example Connect")
    assert "<svg" in ada.page
    assert "style=" not in ada.page, "the policy allows no inline styles"


async def test_a_reload_shows_the_same_secret(ada: Browser) -> None:
    first = await set_up(ada)
    address = str(ada.answer.url.path_qs)
    await ada.open(address)
    assert f"secret={first.secret}" in ada.page
    assert first.secret not in address


async def test_a_wrong_first_code_adds_nothing(ada: Browser, store: Store) -> None:
    app = await set_up(ada)
    await ada.submit(PATH, code="000000")
    answer = await ada.follow()
    assert answer.status == 400
    assert "That code did not match" in ada.text
    assert f"secret={app.secret}" in ada.page, "nobody has to scan again"
    assert store.factors.by_sub == {}


@pytest.mark.parametrize("setup", ["", "x", "AAAA", "A" * 200, "%00"])
async def test_a_made_up_secret(ada: Browser, store: Store, setup: str) -> None:
    """Nobody makes a person set up a secret that somebody else knows."""
    app = await set_up(ada)
    fields = {"code": app.code(store.grants.now), "setup": setup}
    await ada.post(PATH, data=ada.hidden | fields)
    assert store.factors.by_sub == {}
    assert (await ada.follow()).status == 200


async def test_the_secret_of_another_session(ada: Browser, bob: Browser, store: Store) -> None:
    app = await set_up(bob)
    setup = bob.hidden["setup"]
    await set_up(ada)
    fields = {"code": app.code(store.grants.now), "setup": setup}
    await ada.post(PATH, data=ada.hidden | fields)
    assert store.factors.by_sub == {}


async def test_the_first_code_does_not_sign_in(
    ada: Browser, open_browser: OpenBrowser, store: Store
) -> None:
    app = await set_up(ada)
    code = app.code(store.grants.now)
    await ada.submit(PATH, code=code)
    thief = await open_browser()
    await thief.sign_in("ada")
    await thief.follow()
    await thief.submit("/login/second", code=code)
    assert (await thief.follow()).status == 403


async def test_an_old_session_has_to_sign_in_again(ada: Browser, store: Store) -> None:
    store.grants.now += FRESH_S + 1
    answer = await ada.open(PATH)
    assert answer.headers["Location"] == "/login?next=security&again=1"
    await ada.follow()
    assert "once more" in ada.text
    await ada.submit("/login", username="ada", password="ada")
    assert ada.answer.headers["Location"] == "/account/security"


async def test_without_a_session(browser: Browser) -> None:
    for path in ("/account/security", PATH, "/account/security/recovery-codes"):
        answer = await browser.open(path)
        assert answer.headers["Location"] == "/login?next=security"
        await browser.follow()
        answer = await browser.post(path, data=browser.hidden)
        assert answer.status in {303, 405}


async def test_the_last_factor_asks_for_a_very_fresh_sign_in(
    browser: Browser, store: Store
) -> None:
    app = give_app(store, recovery=("BCDFGHJKLMNPQRST",))
    await browser.sign_in()
    await browser.follow()
    await browser.submit("/login/second", code=app.code(store.grants.now))
    store.grants.now += VERY_FRESH_S + 1
    await browser.open("/account/security")
    form = browser.hidden
    answer = await browser.post(f"{PATH}/remove", data=form)
    assert answer.headers["Location"] == "/login?next=security&again=1"
    assert store.factors.by_sub["sub-ada"].authenticator is not None
    await browser.follow()
    await browser.submit("/login", username="ada", password="ada")
    await browser.follow()
    await browser.submit("/login/second", code=app.code(store.grants.now))
    await browser.follow()
    await browser.submit(f"{PATH}/remove")
    await browser.follow()
    assert "The authenticator app is removed" in browser.text
    factors = store.factors.by_sub["sub-ada"]
    assert (factors.authenticator, factors.recovery) == (None, ())


async def test_a_session_without_the_factor_changes_nothing(ada: Browser, store: Store) -> None:
    """A thief who has had a session with the password alone, before the app was added elsewhere."""
    give_app(store)
    await ada.open("/account/security")
    form = ada.hidden
    for path in (f"{PATH}/remove", "/account/security/recovery-codes"):
        answer = await ada.post(path, data=form)
        assert answer.headers["Location"].startswith("/login/second?next=security")
    assert store.factors.by_sub["sub-ada"].recovery == ()


async def test_a_form_of_another_person(ada: Browser, bob: Browser, store: Store) -> None:
    await bob.open("/account/security")
    give_app(store)
    await ada.open("/account/security")
    answer = await ada.post(f"{PATH}/remove", data=bob.hidden)
    assert "notice=outdated" in answer.headers["Location"]
    assert store.factors.by_sub["sub-ada"].authenticator is not None


async def test_the_code_of_a_device_is_kept(ada: Browser, store: Store) -> None:
    await ada.open("/account/security?user_code=WDJB-MJHT")
    assert "/device/confirm?user_code=WDJB-MJHT" in ada.page
    await ada.open(f"{PATH}?user_code=WDJB-MJHT")
    await ada.follow()
    secret = re.search(r"secret=([A-Z2-7]+)", ada.page)
    assert secret is not None
    await ada.submit(PATH, code=App(secret[1]).code(store.grants.now))
    await ada.follow()
    assert 'href="/device/confirm?user_code=WDJB-MJHT"' in ada.page
