"""What a person does with devices and browsers, in a real browser."""

from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import session_loop
from tests.browser.stations import code_form, devices_long
from tests.browser.walking import CONNECTED, ask, expect_heading, press, sign_in, television
from tests.stage.program import Program


@session_loop()
async def page(browser: Browser) -> Page:
    context = await browser.new_context(viewport={"width": 360, "height": 740})
    return await context.new_page()


async def test_a_mistake_is_undone(site: Program, page: Page) -> None:
    await ask(page, site, television(site).user_code)
    await press(page, "Approve")
    await expect_heading(page, CONNECTED)
    done = page.url
    await page.get_by_role("link", name="Was that a mistake? Disconnect the device").click()
    await press(page, "Disconnect")
    await expect(page.get_by_role("status")).to_contain_text("The device is disconnected.")
    await expect(page.get_by_text("No device is connected")).to_be_visible()
    await page.goto(done)
    await expect_heading(page, "This request was ended")


async def test_back_disconnects_nothing_again(site: Program, page: Page) -> None:
    await devices_long(page, site)
    await page.locator(".things .act").first.click()
    await press(page, "Disconnect")
    await expect(page.get_by_role("status")).to_be_visible()
    await page.go_back()
    await expect(page.get_by_role("alert")).to_contain_text("This is no longer connected.")


async def test_a_device_gets_a_name(site: Program, page: Page) -> None:
    await devices_long(page, site)
    await page.locator(".things a.title").first.click()
    field = page.get_by_label("Your name for it")
    await field.fill("In the kitchen")
    await field.press("Enter")
    await expect(page.get_by_role("status")).to_contain_text("The name is saved.")
    await expect_heading(page, "In the kitchen")
    await page.get_by_role("link", name="All devices").click()
    await expect(page.get_by_role("link", name="In the kitchen", exact=True)).to_be_visible()


async def test_another_browser_is_signed_out(site: Program, browser: Browser, page: Page) -> None:
    other = await (await browser.new_context()).new_page()
    await code_form(other, site)
    await page.goto(f"{site.url}/account/sessions")
    await sign_in(page)
    await expect_heading(page, "Where you are signed in")
    await expect(page.locator(".things li")).to_have_count(2)
    await page.get_by_role("button", name="Sign out", exact=False).first.click()
    await expect(page.get_by_role("status")).to_contain_text("signed out in that browser")
    await expect(page.locator(".things li")).to_have_count(1)
    await other.goto(f"{site.url}/account")
    await expect(other.get_by_label("Password")).to_be_visible()
