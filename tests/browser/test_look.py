"""The pages in an operator's own look."""

from collections.abc import AsyncIterator, Iterator

import pytest
from playwright.async_api import Browser, Page, Request, expect

from tests.browser.conftest import running_site, session_loop
from tests.browser.looking import WIDTHS, axe_findings_anywhere, keep_picture, screen, too_wide
from tests.browser.stations import question_shown
from tests.browser.walking import press
from tests.stage.program import Program

LOOK = """
title = "Example Televisions"
logo = "logos/own.png"
accent = "#0b7a3b"
links = { Imprint = "https://example.com/imprint", "Privacy policy" = "https://example.com/p" }
"""


@pytest.fixture(scope="module")
def own_site() -> Iterator[Program]:
    with running_site(LOOK) as program:
        yield program


@session_loop()
async def page(browser: Browser) -> AsyncIterator[Page]:
    context = await browser.new_context(
        viewport=screen(360),
        reduced_motion="reduce",
        extra_http_headers={"X-Forwarded-For": "198.51.100.9"},
    )
    yield await context.new_page()
    await context.close()


async def test_it_can_be_read_and_fits(own_site: Program, page: Page) -> None:
    """By axe, and at every width, on light and dark pages."""
    await question_shown(page, own_site)
    assert await axe_findings_anywhere(page) == []
    for width in WIDTHS:
        await page.set_viewport_size(screen(width))
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            await keep_picture(page, f"own-look-{width}-{scheme}")
        assert await too_wide(page) == [], f"{width} px"


async def test_the_colour_is_used(own_site: Program, page: Page) -> None:
    await question_shown(page, own_site)
    button = page.get_by_role("button", name="Approve")
    await expect(button).to_have_css("background-color", "rgb(11, 122, 59)")


async def test_the_pictures_are_shown(own_site: Program, page: Page) -> None:
    await question_shown(page, own_site)
    for picture in await page.locator("img").all():
        assert await picture.evaluate("(image) => image.naturalWidth") in {256, 320}


async def test_a_link_tells_nobody_about_the_code(own_site: Program, page: Page) -> None:
    """It opens another tab, which knows neither the address of this page nor its window."""
    await question_shown(page, own_site)
    sent: list[Request] = []
    page.context.on("request", lambda request: sent.append(request))  # noqa: PLW0108, no builtin
    await page.context.route(
        "https://**", lambda route: route.fulfill(body="<title>x</title>", content_type="text/html")
    )
    async with page.context.expect_page() as opened:
        await page.get_by_role("link", name="Privacy", exact=True).click()
    other = await opened.value
    await other.wait_for_load_state()
    assert await other.evaluate("document.referrer") == ""
    assert await other.evaluate("window.opener") is None
    [request] = [each for each in sent if each.url == "https://tv.example.com/privacy"]
    assert "referer" not in await request.all_headers()
    await press(page, "Deny")
