"""What a person does in the browser, in few words."""

from playwright.async_api import Page, expect

from tests.stage.program import Program
from tests.stage.wire import PASSWORD, Device

QUESTION = "Connect Living-room TV to your account?"
CONNECTED = "You can go back to your device"
DENIED = "Request denied"


def television(site: Program, client_id: str = "tv", **parameters: str) -> Device:
    """A device that shows a code."""
    return Device(site, client_id).authorize(**parameters)


async def sign_in(page: Page, username: str = "ada", password: str = PASSWORD) -> None:
    await page.get_by_label("Username").fill(username)
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Sign in").click()


async def open_code(page: Page, site: Program, code: str, username: str = "ada") -> None:
    """Follow the link of a QR code, and go on to the form with the code in it."""
    await page.goto(f"{site.url}/device?user_code={code}")
    if "/login" in page.url:
        await sign_in(page, username)
    await expect(page.get_by_label("Code")).to_have_value(code)


async def ask(page: Page, site: Program, code: str, username: str = "ada") -> None:
    """Go on to the question."""
    await open_code(page, site, code, username)
    await page.get_by_role("button", name="Continue").click()
    await expect(page.get_by_role("button", name="Approve")).to_be_visible()


async def press(page: Page, button: str) -> None:
    await page.get_by_role("button", name=button, exact=True).click()


async def expect_heading(page: Page, words: str) -> None:
    await expect(page.get_by_role("heading", level=1)).to_have_text(words)
