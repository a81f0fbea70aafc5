"""The page about a code that somebody has sent."""

from tests.stage.pages import Browser, Store, check_headers


async def test_the_form_for_a_code_leads_there(ada: Browser) -> None:
    await ada.open("/device?user_code=WDJB-MJHT")
    assert 'href="/device/sent?user_code=WDJB-MJHT"' in ada.page
    await ada.open("/device")
    assert 'href="/device/sent"' in ada.page


async def test_it_explains_to_anybody(browser: Browser) -> None:
    check_headers(await browser.open("/device/sent"))
    assert browser.title.startswith("Did somebody send you the code?")
    assert "Then it is a trick." in browser.text
    assert "Signed in" not in browser.text


async def test_a_code_leads_on_to_its_request_and_is_not_looked_up(
    ada: Browser, store: Store
) -> None:
    store.grants.add("WDJBMJHT")
    await ada.open("/device/sent?user_code=wdjb+mjht")
    assert 'href="/device?user_code=WDJB-MJHT"' in ada.page
    assert store.grants.looked_up == []
    await ada.open('/device/sent?user_code="><script>')
    assert "<script" not in ada.page


async def test_it_is_found_in_other_case_too(browser: Browser) -> None:
    answer = await browser.open("/Device/Sent/?user_code=WDJB-MJHT")
    assert (answer.status, answer.headers["Location"]) == (303, "/device/sent?user_code=WDJB-MJHT")
