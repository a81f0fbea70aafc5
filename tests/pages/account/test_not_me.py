"""The link in a notice: a look changes nothing, the button disconnects, without signing in."""

from deviceflow.store.notice_links import NoticeLink
from tests.stage.pages import POLICY, Browser, Store, check_headers

TOKEN = "t" * 43
PATH = f"/account/not-me?token={TOKEN}"


def give_link(store: Store) -> str:
    device = store.devices.add()
    store.notice_links.by_token[TOKEN] = NoticeLink("sub-ada", device.grant_id)
    return device.grant_id


async def test_a_look_changes_nothing(browser: Browser, store: Store) -> None:
    """As by a program that opens the links of a mail."""
    give_link(store)
    for _ in range(2):
        check_headers(await browser.open(PATH), policy=f"{POLICY}; script-src 'self'")
        assert "Did somebody else connect <bdi>NebulaTV 4.2</bdi>?" in browser.page
    assert store.devices.ended == []
    assert "203.0.113.7" not in browser.text, "no more than needed, to whoever has the link"


async def test_the_button_disconnects_once(browser: Browser, store: Store) -> None:
    grant_id = give_link(store)
    await browser.open(PATH)
    form = browser.hidden
    await browser.post("/account/not-me", data=form)
    assert browser.answer.status == 303
    assert TOKEN not in browser.answer.headers["Location"]
    await browser.follow()
    assert "The device is disconnected" in browser.text
    assert store.devices.ended == [grant_id]
    assert store.notice_links.by_token == {}
    await browser.post("/account/not-me", data=form)
    await browser.follow()
    assert "This link can no longer be used" in browser.text
    await browser.open(PATH)
    assert "This link can no longer be used" in browser.text


async def test_a_device_that_is_gone_already(browser: Browser, store: Store) -> None:
    grant_id = give_link(store)
    del store.devices.by_id[grant_id]
    await browser.open(PATH)
    assert browser.answer.status == 200
    assert "This link can no longer be used" in browser.text


async def test_a_made_up_token_tells_nothing(browser: Browser, store: Store) -> None:
    give_link(store)
    for path in ("/account/not-me", "/account/not-me?token=x", "/account/not-me?seal=00"):
        await browser.open(path)
        assert "This link can no longer be used" in browser.text
    await browser.post("/account/not-me", data={"token": TOKEN})
    assert browser.answer.headers["Location"].endswith(f"token={TOKEN}&notice=outdated")
    await browser.follow()
    assert "This page was out of date." in browser.text
    assert store.devices.ended == []


async def test_another_site_cannot_press_the_button(browser: Browser, store: Store) -> None:
    give_link(store)
    await browser.open(PATH)
    origin = {"Origin": "https://evil.example"}
    await browser.post("/account/not-me", data=browser.hidden, headers=origin)
    assert browser.answer.status == 403
    assert store.devices.ended == []


async def test_a_person_who_is_signed_in_sees_who(ada: Browser, store: Store) -> None:
    give_link(store)
    await ada.open(PATH)
    assert "Signed in as Ada Lovelace" in ada.text
