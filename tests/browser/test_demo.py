"""A newcomer lives the whole flow in the demo, in a real browser."""

import re
from pathlib import Path

from playwright.async_api import Browser, BrowserContext, Page, expect

from deviceflow.cli.demo import PASSWORD, USERNAME


async def test_a_newcomer_approves_the_television(
    demo: str, browser: Browser, pictures: Path | None
) -> None:
    context = await browser.new_context(
        viewport={"width": 1280, "height": 800}, reduced_motion="reduce"
    )
    errors = _page_errors(context)
    television = await context.new_page()
    await television.goto(f"{demo}/demo")
    await expect(television.locator("#tv")).to_have_attribute("data-state", "code")
    code = await television.locator("#tv-code:not(:empty)").inner_text()
    await expect(television.locator("#tv-qr img")).to_be_visible()
    await television.locator("#hurry").click()
    await expect(television.locator("#log")).to_contain_text("slow_down")
    await expect(television.locator("#pace")).to_contain_text("10")
    if pictures:
        await television.screenshot(path=pictures / "demo.png")

    phone = await _phone_signs_in(television)
    await expect(phone.get_by_text(code, exact=True)).to_be_visible()
    await phone.get_by_role("button", name="Approve").click()

    await expect(television.locator("#tv")).to_have_attribute("data-state", "approved")
    await _expect_no_way_to_approve(television)
    log = television.locator("#log")
    await expect(log).to_contain_text("at+jwt")
    await television.locator("#refresh").click()
    await expect(log).to_contain_text("refresh_token")
    assert errors == []


async def test_a_newcomer_denies_the_television(demo: str, browser: Browser) -> None:
    """`8628-3.5-c`: the denial reaches the device."""
    context = await browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark")
    television = await context.new_page()
    await television.goto(f"{demo}/demo")
    await expect(television.locator("#tv")).to_have_attribute("data-state", "code")

    phone = await _phone_signs_in(television)
    await phone.get_by_role("button", name="Deny").click()

    await expect(television.locator("#tv")).to_have_attribute("data-state", "denied")
    await _expect_no_way_to_approve(television)
    await television.locator("#tv").get_by_role("button", name="Start again").click()
    await expect(television.locator("#tv")).to_have_attribute("data-state", "code")
    await expect(television.locator("#approve")).to_have_attribute("href", re.compile("user_code="))
    await expect(television.locator("#approve")).not_to_have_attribute("aria-disabled", "true")


async def test_below_the_path_of_an_issuer(demo_below_a_path: str, browser: Browser) -> None:
    """The television finds every endpoint, the QR code and, of the metadata, how long to wait."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    errors = _page_errors(context)
    television = await context.new_page()
    await television.goto(f"{demo_below_a_path}/demo")
    await expect(television.locator("#tv")).to_have_attribute("data-state", "code")
    await expect(television.locator("#wait")).to_be_checked()
    image = television.locator("#tv-qr img")
    assert await image.evaluate(
        "async (one) => { await one.decode(); return one.naturalWidth > 0 }"
    )

    phone = await _phone_signs_in(television)
    await phone.get_by_role("button", name="Approve").click()

    await expect(television.locator("#tv")).to_have_attribute("data-state", "approved")
    assert errors == []


async def test_the_pages_work_without_javascript(demo: str, browser: Browser) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{demo}/device?user_code=BCDF-GHJK")
    await _sign_in(page)
    await expect(page.get_by_label("Code")).to_have_value("BCDF-GHJK")
    await page.get_by_role("button", name="Continue").click()
    await expect(page.get_by_role("alert")).to_be_visible()


async def _expect_no_way_to_approve(television: Page) -> None:
    """A code that was decided upon is spent, and nothing leads to its page any more."""
    approve = television.locator("#approve")
    await expect(approve).to_have_attribute("aria-disabled", "true")
    await expect(approve).not_to_have_attribute("href", re.compile(""))


async def _phone_signs_in(television: Page) -> Page:
    """Open the approval page from the demo, sign in, and go on to the question."""
    async with television.expect_popup() as opened:
        await television.locator("#approve").click()
    phone = await opened.value
    await _sign_in(phone)
    await phone.get_by_role("button", name="Continue").click()
    return phone


async def _sign_in(page: Page) -> None:
    await page.get_by_label("Username").fill(USERNAME)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()


def _page_errors(context: BrowserContext) -> list[str]:
    """What goes wrong on the pages: exceptions, and violations of the content policy."""
    errors: list[str] = []
    context.on("weberror", lambda error: errors.append(str(error.error)))
    context.on(
        "console",
        lambda message: (
            errors.append(message.text) if "Content Security Policy" in message.text else None
        ),
    )
    return errors
