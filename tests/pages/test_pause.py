"""A pause is said by a page that can be loaded again, for as long as it is true."""

import pytest

from deviceflow.policy.rules import GUESSES_PER_LIFETIME, SIGN_IN_ADDRESS
from tests.stage.pages import Browser, Store

SHOWN = "WDJB-MJHT"
HERE = "127.0.0.1"


async def test_codes(ada: Browser, store: Store) -> None:
    store.limits.fill("code.account", "sub-ada", GUESSES_PER_LIFETIME)
    store.grants.now += 301
    await ada.open("/device")
    answer = await ada.submit("/device", user_code=SHOWN)
    assert answer.status == 303
    page = answer.headers["Location"]
    assert (await ada.follow()).headers["Retry-After"] == "299"
    store.grants.now += 59
    assert (await ada.open(page)).headers["Retry-After"] == "240"
    assert "Please wait 4 minutes" in ada.text
    assert f'href="/device?user_code={SHOWN}"' in ada.page
    assert store.grants.looked_up == []
    store.grants.now += 240
    assert (await ada.open(page)).status == 200
    assert ada.typed == SHOWN


async def test_between_two_full_seconds_no_minute_is_added(ada: Browser, store: Store) -> None:
    store.grants.now += 0.3
    store.limits.fill("code.account", "sub-ada", GUESSES_PER_LIFETIME)
    await ada.open("/device")
    await ada.submit("/device", user_code=SHOWN)
    assert (await ada.follow()).headers["Retry-After"] == "600"
    assert "Please wait 10 minutes" in ada.text


async def test_passwords(browser: Browser, store: Store) -> None:
    store.limits.fill("sign-in.address", HERE, SIGN_IN_ADDRESS.limit)
    await browser.open(f"/login?user_code={SHOWN}")
    answer = await browser.submit("/login", username="ada", password="ada")
    assert answer.status == 303
    page = answer.headers["Location"]
    for passed, wait in ((0, 1800), (800, 1000), (999, 1)):
        store.grants.now += passed
        assert (await browser.open(page)).headers["Retry-After"] == str(wait)
    store.grants.now += 1
    await browser.open(page)
    assert "so the password was not checked" in browser.text
    assert 'value="ada"' in browser.page
    assert browser.hidden["user_code"] == SHOWN
    await browser.submit("/login", username="ada", password="ada")
    assert (await browser.open(page)).headers["Location"] == f"/device?user_code={SHOWN}"


@pytest.mark.parametrize("change", [("pause=", "pause=9"), ("seal=", "seal=0"), ("pause=", "x=")])
async def test_a_link_cannot_make_a_person_wait(
    ada: Browser, bob: Browser, store: Store, change: tuple[str, str]
) -> None:
    store.limits.fill("code.account", "sub-ada", GUESSES_PER_LIFETIME)
    await ada.open("/device")
    await ada.submit("/device", user_code=SHOWN)
    page = ada.answer.headers["Location"]
    assert (await bob.open(page)).status == 200, "it is sealed for another browser"
    assert (await ada.open(page.replace(*change))).status == 200
    assert (await ada.open(page)).status == 429
