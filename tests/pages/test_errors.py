"""Error pages: what happened, what it means, what to do next, with the headers of any page."""

import pytest
import structlog

from deviceflow.pages.errors import Button, too_many
from tests.stage.pages import Browser, Store


async def test_no_such_page(browser: Browser) -> None:
    answer = await browser.open("/nowhere")
    assert answer.status == 404
    assert "There is no such page" in browser.text
    assert 'href="/device"' in browser.page


async def test_a_page_says_who_is_signed_in(ada: Browser, browser: Browser) -> None:
    for path in ("/nowhere", "/broken"):
        await ada.open(path)
        assert "Signed in as Ada Lovelace" in ada.text
        assert 'action="/logout"' in ada.page
        await browser.open(path)
        assert "Signed in as" not in browser.text


async def test_a_page_without_the_store_says_nothing_of_a_session(
    ada: Browser, store: Store
) -> None:
    store.sessions.is_down = True
    for path, status in (("/nowhere", 404), ("/device", 503)):
        answer = await ada.open(path)
        assert answer.status == status
        assert "Signed in as" not in ada.text


@pytest.mark.parametrize(
    ("typed", "query"), [("wdjb mjht", "?user_code=WDJB-MJHT"), ("//evil.example", "")]
)
async def test_the_button_keeps_the_code(ada: Browser, typed: str, query: str) -> None:
    """9700-4.11.2-a: a code, and nothing that is none."""
    await ada.open("/device")
    await ada.submit("/device", user_code=typed, decision="maybe")
    assert ada.answer.status == 400
    assert f'href="/device{query}"' in ada.page
    assert "evil" not in ada.page
    await ada.open("/device/nothing", params={"user_code": typed})
    assert f'href="/device{query}"' in ada.page


async def test_the_wrong_method(browser: Browser) -> None:
    answer = await browser.client.delete("/device")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET,HEAD,POST")
    assert "Nothing was changed." in await answer.text()


async def test_what_nobody_expected_is_logged_and_tells_nothing(browser: Browser) -> None:
    with structlog.testing.capture_logs() as logs:
        answer = await browser.open("/broken")
    assert answer.status == 500
    assert "Something went wrong on our side" in browser.text
    assert "ZeroDivisionError" not in browser.page
    [entry] = logs
    assert (entry["event"], entry["log_level"], entry["path"]) == (
        "page.failed",
        "error",
        "/broken",
    )


@pytest.mark.parametrize(
    ("seconds", "wait"),
    [
        (0, "1 second"),
        (5, "5 seconds"),
        (60, "1 minute"),
        (61, "2 minutes"),
        (600, "10 minutes"),
        (7201, "3 hours"),
    ],
)
def test_a_pause_in_words(seconds: int, wait: str) -> None:
    error = too_many("Too many.", seconds, hints=["Or not."], button=Button("/device", "Go"))
    assert error.next_step == f"Wait {wait}, then try again. Or not."
    assert error.title == f"Please wait {wait}"
    assert error.headers["Retry-After"] == str(max(1, seconds))
