"""Every path of a person, walked with Back, Forward, reload and a second tab, in a real browser."""

import re

import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from tests.browser.conftest import session_loop
from tests.browser.stations import proof_of_work
from tests.browser.walking import (
    CONNECTED,
    DENIED,
    QUESTION,
    ask,
    expect_heading,
    open_code,
    press,
    sign_in,
    television,
)
from tests.stage.program import Program
from tests.stage.wire import PASSWORD


@session_loop()
async def context(browser: Browser) -> BrowserContext:
    """A phone."""
    return await browser.new_context(viewport={"width": 390, "height": 844})


@session_loop()
async def page(context: BrowserContext) -> Page:
    return await context.new_page()


@pytest.mark.parametrize(("button", "end"), [("Approve", CONNECTED), ("Deny", DENIED)])
async def test_back_forward_and_reload_show_the_end(
    site: Program, page: Page, button: str, end: str
) -> None:
    """No page of the browser's own, no second decision, and no "already answered"."""
    tv = television(site)
    await ask(page, site, tv.user_code)
    await page.reload()
    await expect_heading(page, QUESTION)
    await press(page, button)
    await expect_heading(page, end)
    await page.reload()
    await expect_heading(page, end)
    await page.go_back()
    await expect_heading(page, end)
    await page.go_forward()
    await expect_heading(page, end)
    await page.go_back()
    await page.go_back()
    await expect(page.get_by_label("Code")).to_have_value(tv.user_code)
    await press(page, "Continue")
    await expect_heading(page, end)


async def test_an_unticked_scope_is_not_granted(site: Program, page: Page) -> None:
    """RFC 6749 5.1: the device reads what it has; a box that is ticked again counts."""
    device = television(site, "choosy")
    await ask(page, site, device.user_code)
    for box in await page.get_by_role("checkbox").all():
        await box.uncheck()
    await page.get_by_text("See your e-mail address").click()
    await press(page, "Approve")
    await expect_heading(page, CONNECTED)
    tokens = device.poll(wait=30).body
    assert tokens["scope"] == "openid profile email"
    assert "refresh_token" not in tokens


async def test_a_code_is_typed_once_more_with_the_enter_key(site: Program, page: Page) -> None:
    """The key approves nothing but the right code, and to deny needs none."""
    near, far = television(site, "far"), television(site, "far")
    await ask(page, site, far.user_code)
    await page.get_by_label("Type the code").fill("BBBB-BBBB")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_be_visible()
    assert far.outcome() == "authorization_pending"
    await page.get_by_label("Type the code").fill(far.user_code.lower())
    await page.keyboard.press("Enter")
    await expect_heading(page, CONNECTED)
    assert far.poll(wait=30).body["scope"] == "profile"
    await ask(page, site, near.user_code)
    await press(page, "Deny")
    await expect_heading(page, DENIED)


async def test_a_second_click_on_approve_shows_the_same_end(site: Program, page: Page) -> None:
    tv = television(site)
    await ask(page, site, tv.user_code)
    await page.get_by_role("button", name="Approve").dblclick()
    await expect_heading(page, CONNECTED)


async def test_a_second_tab_says_what_is_true(
    site: Program, page: Page, context: BrowserContext
) -> None:
    """Approve in one tab, Approve and Deny in others that were opened before."""
    tv = television(site)
    await ask(page, site, tv.user_code)
    tabs = [await context.new_page() for _ in range(2)]
    for tab in tabs:
        await ask(tab, site, tv.user_code)
    await press(page, "Approve")
    await expect_heading(page, CONNECTED)
    await press(tabs[0], "Approve")
    await expect_heading(tabs[0], CONNECTED)
    await press(tabs[1], "Deny")
    await expect_heading(tabs[1], "This device is already connected")
    await tabs[1].reload()
    await expect_heading(tabs[1], "This device is already connected")
    assert tv.wait() == "tokens"
    await page.reload()
    await expect_heading(page, CONNECTED)


async def test_a_tab_that_was_discarded_is_loaded_again(
    site: Program, page: Page, context: BrowserContext
) -> None:
    """The browser keeps the address only."""
    tv = television(site)
    await ask(page, site, tv.user_code)
    question = page.url
    await press(page, "Approve")
    await expect_heading(page, CONNECTED)
    for address in (question, page.url):
        tab = await context.new_page()
        await tab.goto(address)
        await expect_heading(tab, CONNECTED)


async def test_a_wrong_code_can_be_typed_again_at_once(site: Program, page: Page) -> None:
    await page.goto(f"{site.url}/login")
    await sign_in(page)
    field = page.get_by_label("Code")
    await field.fill("BBBB-BBBB")
    await field.press("Enter")
    for _ in range(12):  # more often than guesses are allowed
        await expect(page.get_by_role("alert")).to_contain_text("You typed BBBB-BBBB.")
        await page.reload()
    await expect(page).to_have_title(re.compile("^Code not accepted"))
    await expect(field).to_be_focused()
    await expect(field).to_have_value("")
    await expect(field).to_have_attribute("autocomplete", "off")
    tv = television(site)
    await page.keyboard.type(tv.user_code.lower())
    await page.keyboard.press("Enter")
    await expect_heading(page, QUESTION)
    await page.go_back()
    await expect(page.get_by_role("alert")).to_contain_text("You typed BBBB-BBBB.")
    await page.go_forward()
    await expect_heading(page, QUESTION)


async def test_a_browser_works_for_one_more_code(site: Program, page: Page) -> None:
    """While guessers are at work: the button comes with the answer, and a script blocks nothing."""
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    await proof_of_work(page, site)
    button = page.get_by_role("button", name="Continue")
    await expect(button).to_be_enabled()
    await expect(page.get_by_role("status")).to_have_text("That is done. You can continue.")
    await button.click()
    await expect_heading(page, QUESTION)
    assert [fault for fault in faults if "Failed to load resource" not in fault] == []


async def test_another_account_connects_the_device(site: Program, page: Page) -> None:
    """The wrong account on the page: the claim is given back, and the code is kept."""
    tv = television(site)
    await ask(page, site, tv.user_code)
    await expect(page.get_by_text("Signed in as Ada Lovelace")).to_be_visible()
    await press(page, "Use another account")
    await expect(page.get_by_role("status")).to_contain_text("You are signed out.")
    await page.reload()
    await expect(page.get_by_role("status")).to_contain_text("You are signed out.")
    await sign_in(page, "bob")
    await expect(page.get_by_label("Code")).to_have_value(tv.user_code)
    await press(page, "Continue")
    await expect(page.get_by_text("Signed in as Bob")).to_be_visible()
    await press(page, "Approve")
    await expect_heading(page, CONNECTED)
    assert tv.wait() == "tokens"


async def test_back_after_another_account_leads_to_sign_in_with_the_code(
    site: Program, page: Page
) -> None:
    tv = television(site)
    await ask(page, site, tv.user_code)
    await press(page, "Use another account")
    await expect_heading(page, "Sign in")  # a page that is on its way has no "back"
    await page.go_back()
    await expect_heading(page, "Sign in")
    await sign_in(page, "bob")
    await expect(page.get_by_label("Code")).to_have_value(tv.user_code)


async def test_a_session_that_ended_in_another_tab_decides_nothing(
    site: Program, page: Page, context: BrowserContext
) -> None:
    tv = television(site)
    await ask(page, site, tv.user_code)
    other = await context.new_page()
    await other.goto(f"{site.url}/logout")
    await press(other, "Sign out")
    await press(page, "Approve")
    await expect(page.get_by_role("alert")).to_contain_text("nothing was decided")
    assert tv.outcome() == "authorization_pending"
    await sign_in(page)
    await expect(page.get_by_label("Code")).to_have_value(tv.user_code)
    await press(page, "Continue")
    await press(page, "Approve")
    await expect_heading(page, CONNECTED)


async def test_back_and_reload_of_a_wrong_password(site: Program, page: Page) -> None:
    """Never the browser's own question or error; name and code are kept, and no guess is spent."""
    code = television(site).user_code
    await page.goto(f"{site.url}/device?user_code={code}")
    await sign_in(page, "ada", "wrong")
    for _ in range(25):  # more often than guesses are allowed
        await expect(page.get_by_role("alert")).to_contain_text("That did not work.")
        await page.reload()
    await expect(page).to_have_title(re.compile("^Not signed in"))
    await expect(page.get_by_label("Username")).to_have_value("ada")
    await page.get_by_label("Password").fill(PASSWORD)
    await press(page, "Sign in")
    await expect(page.get_by_label("Code")).to_have_value(code)
    await page.go_back()
    await expect(page.get_by_label("Code")).to_have_value(code)
    await page.go_forward()
    await expect(page.get_by_label("Code")).to_have_value(code)


async def test_back_and_reload_of_a_pause(site: Program, page: Page) -> None:
    """Too many wrong codes: the page that says so is an address, and keeps being true."""
    await page.goto(f"{site.url}/login")
    await sign_in(page)
    for last in "BCDFGHJKL":
        await page.goto(f"{site.url}/device")
        await page.get_by_label("Code").fill(f"BBBB-BBB{last}")
        await press(page, "Continue")
    for _ in range(2):
        await expect(page.get_by_role("heading", level=1)).to_contain_text("Please wait")
        await page.reload()
    await page.get_by_role("link", name="Enter a code").click()
    await expect(page.get_by_label("Code")).to_be_visible()
    await page.go_back()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Please wait")


async def test_a_question_from_before_another_sign_in_is_asked_again(
    site: Program, page: Page, context: BrowserContext
) -> None:
    tv = television(site)
    await ask(page, site, tv.user_code)
    other = await context.new_page()
    await other.goto(f"{site.url}/logout")
    await press(other, "Sign out")
    await other.get_by_role("link", name="Sign in").click()
    await sign_in(other)
    await expect(other.get_by_label("Code")).to_be_visible()
    await press(page, "Approve")
    await expect(page.get_by_role("alert")).to_contain_text("Nothing was changed.")
    await expect_heading(page, QUESTION)
    assert tv.outcome() == "authorization_pending"
    await page.reload()
    await press(page, "Approve")
    await expect_heading(page, CONNECTED)


async def test_two_tabs_sign_in_one_after_the_other(
    site: Program, page: Page, context: BrowserContext
) -> None:
    """The second form is out of date when it is sent, and the person goes on with its code."""
    codes = [television(site).user_code, television(site).user_code]
    tabs = [page, await context.new_page()]
    for tab, code in zip(tabs, codes, strict=True):
        await tab.goto(f"{site.url}/device?user_code={code}")
    for tab, code in zip(tabs, codes, strict=True):
        await sign_in(tab)
        await expect(tab.get_by_label("Code")).to_have_value(code)


async def test_a_sign_in_that_is_sent_twice(site: Program, page: Page) -> None:
    code = television(site).user_code
    await page.goto(f"{site.url}/device?user_code={code}")
    await page.get_by_label("Username").fill("ada")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").dblclick()
    await expect(page.get_by_label("Code")).to_have_value(code)


async def test_a_restored_tab_signs_in_without_its_cookie(
    site: Program, page: Page, context: BrowserContext
) -> None:
    code = television(site).user_code
    await page.goto(f"{site.url}/device?user_code={code}")
    await context.clear_cookies()
    await sign_in(page)
    await expect(page.get_by_role("alert")).to_contain_text("Your browser sent no cookie.")
    await expect(page.get_by_label("Username")).to_have_value("ada")
    await expect(page.get_by_label("Password")).to_be_focused()
    await sign_in(page)
    await expect(page.get_by_label("Code")).to_have_value(code)


async def test_another_name_of_the_host_leads_to_the_issuer(site: Program, page: Page) -> None:
    """Before a password is typed; and so does the form of a page that was opened there."""
    code = television(site).user_code
    elsewhere = site.url.replace("127.0.0.1", "localhost")
    for path in ("/device", "/Device/", "//device", "/login"):
        await page.goto(f"{elsewhere}{path}?user_code={code}")
        assert page.url.startswith(f"{site.url}/login?")
    await sign_in(page)
    await expect(page.get_by_label("Code")).to_have_value(code)

    await page.goto(f"{elsewhere}/login?at=issuer&user_code={code}")
    await sign_in(page)
    await expect_heading(page, "This form came from somewhere else")
    await page.get_by_role("link", name="Start there").click()
    assert page.url == f"{site.url}/device?user_code={code}"


async def test_times_are_the_person_s_own(site: Program, browser: Browser) -> None:
    """Written by a script that is optional; without it they are in UTC, and say so."""
    for script in (True, False):
        context = await browser.new_context(
            timezone_id="Asia/Kolkata", locale="en-GB", java_script_enabled=script
        )
        errors = _console(context)
        page = await context.new_page()
        await ask(page, site, television(site).user_code)
        moment, day = page.locator("time[data-local=moment]"), page.locator("time[data-local=date]")
        if script:
            shown = "new Date(time.dateTime).toLocaleTimeString('en-GB', {timeStyle: 'short'})"
            await expect(moment).to_contain_text(await moment.evaluate(f"time => {shown}"))
            assert "UTC" not in await moment.inner_text()
        else:
            await expect(moment).to_contain_text("UTC")
        await expect(day).to_have_text(re.compile(r"20\d\d"))
        await expect(page.get_by_text(re.compile("For up to 180 days, until"))).to_be_visible()
        assert errors == []
        await context.close()


async def test_the_code_survives_signing_out(site: Program, page: Page) -> None:
    code = television(site).user_code
    await open_code(page, site, code)
    await press(page, "Not you? Sign out")
    await expect_heading(page, "You are signed out")
    await page.get_by_role("link", name="Sign in").click()
    await sign_in(page, "bob")
    await expect(page.get_by_label("Code")).to_have_value(code)


def _console(context: BrowserContext) -> list[str]:
    """What the browser says about the pages, such as a script that the policy forbids."""
    said: list[str] = []

    def note(message: ConsoleMessage) -> None:
        # A test may type before Chromium has placed the cursor, and Chromium says so.
        if "Autofocus processing was blocked" not in message.text:
            said.append(message.text)

    context.on("console", note)
    return said
