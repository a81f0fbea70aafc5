"""The question and the demo at each width. What is true of each page: `test_stations.py`."""

from playwright.async_api import Page, expect

from tests.browser.looking import WIDTHS, screen, too_wide
from tests.browser.stations import question
from tests.stage.program import Program


async def test_the_demo_does_not_scroll_sideways(demo: str, page: Page) -> None:
    """But for the stars of its television, which are cut off at the screen's edge."""
    await page.goto(f"{demo}/demo")
    await expect(page.locator("#tv")).to_have_attribute("data-state", "code")
    for width in WIDTHS:
        await page.set_viewport_size(screen(width))
        wide = [each for each in await too_wide(page) if "stars" not in each]
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
        await page.set_viewport_size(screen(width))
        deny = await page.get_by_role("button", name="Deny").bounding_box()
        approve = await page.get_by_role("button", name="Approve").bounding_box()
        assert deny is not None
        assert approve is not None
        assert (deny["width"], deny["height"]) == (approve["width"], approve["height"])
        assert (deny["y"] == approve["y"]) == is_beside
        room = await page.locator(".decide").bounding_box()
        assert room is not None
        assert deny["width"] > room["width"] * (0.45 if is_beside else 0.95)
