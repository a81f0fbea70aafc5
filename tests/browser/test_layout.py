"""At every width, and with large text, nothing leaves the screen and everything can be read."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, ViewportSize, expect

from tests.browser.conftest import LONG_NAME
from tests.browser.walking import ask, open_code, press, sign_in, television
from tests.stage.program import Program

Visit = Callable[[Page, Program], Awaitable[None]]

WIDTHS = [195, 260, 320, 360, 1280]
TOO_WIDE = """() => {
  const width = document.documentElement.clientWidth;
  const wide = [...document.querySelectorAll("body *:not(.unseen)")].filter((element) => {
    const box = element.getBoundingClientRect();
    return box.width > 0 && (box.right > width + 0.5 || box.left < -0.5);
  });
  const scrolls = document.documentElement.scrollWidth > width;
  return wide.map((element) => element.outerHTML.slice(0, 80)).concat(scrolls ? ["page"] : []);
}"""
ONE_LETTER_LINES = """() => [...document.querySelectorAll("h1, p, li, dd, .button")]
  .filter((element) => !element.closest(".unseen") && element.textContent.trim().length > 8)
  .filter((element) => element.getBoundingClientRect().width <
      3 * parseFloat(getComputedStyle(element).fontSize))
  .map((element) => element.outerHTML.slice(0, 80))"""


async def _sign_in(page: Page, site: Program) -> None:
    await page.goto(f"{site.url}/device?user_code={television(site).user_code}")


async def _sign_in_again(page: Page, site: Program) -> None:
    await page.goto(f"{site.url}/login?notice=ended&user_code={television(site).user_code}")


async def _sign_in_failed(page: Page, site: Program) -> None:
    await page.goto(f"{site.url}/login")
    await page.get_by_label("Username").fill(LONG_NAME)
    await page.get_by_label("Password").fill("wrong")
    await press(page, "Sign in")
    await expect(page.get_by_role("alert")).to_be_visible()


async def _enter(page: Page, site: Program) -> None:
    await open_code(page, site, television(site).user_code)


async def _wrong_code(page: Page, site: Program) -> None:
    await page.goto(f"{site.url}/login")
    await sign_in(page, LONG_NAME)
    await page.get_by_label("Code").fill("B" * 64)
    await press(page, "Continue")
    await expect(page.get_by_role("alert")).to_be_visible()


async def _confirm(page: Page, site: Program) -> None:
    await ask(page, site, television(site).user_code)


async def _confirm_long(page: Page, site: Program) -> None:
    await ask(page, site, television(site, "long").user_code, LONG_NAME)


async def _done(page: Page, site: Program) -> None:
    await _confirm(page, site)
    await press(page, "Approve")


async def _done_long(page: Page, site: Program) -> None:
    await _confirm_long(page, site)
    await press(page, "Deny")


async def _sign_out_long(page: Page, site: Program) -> None:
    await page.goto(f"{site.url}/login")
    await sign_in(page, LONG_NAME)
    await page.goto(f"{site.url}/logout")


async def _error(page: Page, site: Program) -> None:
    await page.goto(f"{site.url}/login")
    await sign_in(page, LONG_NAME)
    await page.goto(f"{site.url}/nowhere")


STATIONS: dict[str, Visit] = {
    "sign-in": _sign_in,
    "sign-in-again": _sign_in_again,
    "sign-in-failed": _sign_in_failed,
    "enter": _enter,
    "wrong-code": _wrong_code,
    "confirm": _confirm,
    "confirm-long": _confirm_long,
    "done": _done,
    "done-long": _done_long,
    "sign-out-long": _sign_out_long,
    "error": _error,
}


@pytest.fixture(params=["light", "dark"])
def colours(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    context = await browser.new_context(viewport=_phone(360), reduced_motion="reduce")
    yield await context.new_page()
    await context.close()


@pytest.mark.parametrize("station", STATIONS)
async def test_nothing_leaves_the_screen(site: Program, page: Page, station: str) -> None:
    """WCAG 1.4.4 and 1.4.10: at each width, and with text of double size."""
    await STATIONS[station](page, site)
    for root in (16, 32):
        for width in WIDTHS:
            await page.set_viewport_size(_phone(width))
            await page.evaluate("(px) => document.documentElement.style.fontSize = `${px}px`", root)
            for scheme in ("light", "dark"):
                await page.emulate_media(color_scheme=scheme)
                await _keep_picture(page, f"{station}-{width}-{root}-{scheme}")
            assert await page.evaluate(TOO_WIDE) == [], f"{width} px, root {root} px"
            assert await page.evaluate(ONE_LETTER_LINES) == [], f"{width} px, root {root} px"


async def test_the_question_fits_on_one_screen_of_a_phone(site: Program, page: Page) -> None:
    """Three scopes, at 360x740: who is signed in and both buttons, without scrolling."""
    await page.set_viewport_size({"width": 360, "height": 740})
    await _confirm(page, site)
    assert await page.locator(".scopes li").count() == 3
    for part in (
        page.get_by_text("Signed in as Ada Lovelace"),
        page.get_by_role("button", name="Use another account"),
        page.get_by_role("button", name="Deny"),
        page.get_by_role("button", name="Approve"),
    ):
        box = await part.bounding_box()
        assert box is not None
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= 740


async def test_the_two_buttons_are_of_one_size(site: Program, page: Page) -> None:
    """Beside each other where there is room, else one above the other."""
    await _confirm(page, site)
    for width, is_beside in ((360, True), (195, False)):
        await page.set_viewport_size(_phone(width))
        deny = await page.get_by_role("button", name="Deny").bounding_box()
        approve = await page.get_by_role("button", name="Approve").bounding_box()
        assert deny is not None
        assert approve is not None
        assert (deny["width"], deny["height"]) == (approve["width"], approve["height"])
        assert (deny["y"] == approve["y"]) == is_beside


def _phone(width: int) -> ViewportSize:
    return {"width": width, "height": 740 if width < 600 else 800}


async def _keep_picture(page: Page, name: str) -> None:
    folder = os.environ.get("PAGE_PICTURES")
    if folder:
        await page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
