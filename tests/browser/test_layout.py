"""At every width, and with large text, nothing leaves the screen and everything can be read."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, ViewportSize, expect

from tests.browser.conftest import module_loop
from tests.browser.stations import STATIONS, question
from tests.stage.program import Program

WIDTHS = [195, 260, 320, 360, 1280]
IN_THE_DOCS = {
    "question-abroad-360-16-light": "question.png",
    "question-abroad-360-16-dark": "question-dark.png",
    "devices-360-16-light": "devices.png",
}
"""The pictures of the documentation that are taken on the way."""

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


@module_loop()
async def page(browser: Browser, network: str) -> AsyncIterator[Page]:
    context = await browser.new_context(
        viewport=_phone(360),
        reduced_motion="reduce",
        extra_http_headers={"X-Forwarded-For": network},
    )
    yield await context.new_page()
    await context.close()


@pytest.mark.parametrize("station", STATIONS)
async def test_nothing_leaves_the_screen(
    shared_site: Program, page: Page, station: str, pictures: Path | None
) -> None:
    """WCAG 1.4.4 and 1.4.10: at each width, and with text of double size."""
    await STATIONS[station](page, shared_site)
    for root in (16, 32):
        for width in WIDTHS:
            await page.set_viewport_size(_phone(width))
            await page.evaluate("(px) => document.documentElement.style.fontSize = `${px}px`", root)
            for scheme in ("light", "dark"):
                await page.emulate_media(color_scheme=scheme)
                shown = f"{station}-{width}-{root}-{scheme}"
                await _keep_picture(page, shown)
                if pictures and shown in IN_THE_DOCS:
                    await page.screenshot(path=pictures / IN_THE_DOCS[shown], full_page=True)
            assert await page.evaluate(TOO_WIDE) == [], f"{width} px, root {root} px"
            assert await page.evaluate(ONE_LETTER_LINES) == [], f"{width} px, root {root} px"


async def test_the_demo_does_not_scroll_sideways(demo: str, page: Page) -> None:
    """But for the stars of its television, which are cut off at the screen's edge."""
    await page.goto(f"{demo}/demo")
    await expect(page.locator("#tv")).to_have_attribute("data-state", "code")
    for width in WIDTHS:
        await page.set_viewport_size(_phone(width))
        wide = [each for each in await page.evaluate(TOO_WIDE) if "stars" not in each]
        assert wide == [], f"{width} px"


async def test_the_question_fits_on_one_screen_of_a_phone(shared_site: Program, page: Page) -> None:
    """Three scopes and a device elsewhere, at 360x740: who is signed in, and both buttons."""
    await page.set_viewport_size({"width": 360, "height": 740})
    await question(page, shared_site)
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


async def test_the_two_buttons_are_of_one_size(shared_site: Program, page: Page) -> None:
    """Beside each other where there is room, else one above the other."""
    await question(page, shared_site)
    for width, is_beside in ((1280, True), (360, True), (195, False)):
        await page.set_viewport_size(_phone(width))
        deny = await page.get_by_role("button", name="Deny").bounding_box()
        approve = await page.get_by_role("button", name="Approve").bounding_box()
        assert deny is not None
        assert approve is not None
        assert (deny["width"], deny["height"]) == (approve["width"], approve["height"])
        assert (deny["y"] == approve["y"]) == is_beside
        room = await page.locator(".decide").bounding_box()
        assert room is not None
        assert deny["width"] > room["width"] * (0.45 if is_beside else 0.95)


def _phone(width: int) -> ViewportSize:
    return {"width": width, "height": 740 if width < 600 else 800}


async def _keep_picture(page: Page, name: str) -> None:
    folder = os.environ.get("PAGE_PICTURES")
    if folder:
        await page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
