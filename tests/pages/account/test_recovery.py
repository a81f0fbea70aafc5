"""Recovery codes: replaced when the person asks."""

import re

from tests.stage.factors import give_app
from tests.stage.pages import COOKIE, Browser, Store

PATH = "/account/security/recovery-codes"
OLD = "BCDFGHJKLMNPQRST"


async def signed_in(browser: Browser, store: Store) -> None:
    app = give_app(store, recovery=(OLD,))
    await browser.sign_in()
    await browser.follow()
    await browser.submit("/login/second", code=app.code(store.grants.now))


async def test_new_codes_replace_the_old_ones(browser: Browser, store: Store) -> None:
    await signed_in(browser, store)
    old = store.factors.by_sub["sub-ada"].recovery
    await browser.open("/account/security")
    assert "1 code is left" in browser.text
    await browser.submit(PATH)
    assert not re.search(r"[A-Z]{4}-[A-Z]{4}", browser.answer.headers["Location"])
    await browser.follow()
    codes = re.findall(r"<li>([A-Z-]{19})</li>", browser.page)
    assert len(codes) == 10
    new = store.factors.by_sub["sub-ada"].recovery
    assert len(new) == 10
    assert not set(old) & set(new)


async def test_a_made_up_cookie_shows_nothing(browser: Browser, store: Store) -> None:
    await signed_in(browser, store)
    for value in ("x", "AAAA", "!"):
        browser.client.session.cookie_jar.update_cookies(
            {f"{COOKIE}-codes": value}, browser.client.make_url("/")
        )
        answer = await browser.open(PATH)
        assert answer.status == 200
        assert "<ol" not in browser.page


async def test_without_a_factor_there_are_none(ada: Browser, store: Store) -> None:
    await ada.open("/account/security")
    assert PATH not in ada.page
    assert (await ada.open(PATH)).headers["Location"] == "/account/security"
    await ada.open("/logout")
    answer = await ada.post(PATH, data=ada.hidden)
    assert answer.headers["Location"] == "/account/security"
    assert store.factors.by_sub == {}
