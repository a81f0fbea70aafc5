"""The pages about factors: axe-core finds nothing, and nothing leaves the screen."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from tests.browser.conftest import module_loop
from tests.browser.factor_stations import STATIONS
from tests.browser.factors import site_with_a_name
from tests.browser.test_axe import findings
from tests.browser.test_layout import ONE_LETTER_LINES, TOO_WIDE, WIDTHS
from tests.stage.program import Program


@pytest.fixture(scope="module")
def named_site() -> Iterator[Program]:
    with site_with_a_name() as site:
        yield site


@module_loop()
async def page(browser: Browser, network: str) -> AsyncIterator[Page]:
    context = await browser.new_context(
        reduced_motion="reduce", extra_http_headers={"X-Forwarded-For": network}
    )
    yield await context.new_page()
    await context.close()


@pytest.mark.parametrize("station", STATIONS)
async def test_a_page(named_site: Program, page: Page, station: str) -> None:
    """WCAG 1.4.4 and 1.4.10: at each width, and with text of double size."""
    await STATIONS[station](page, named_site)
    await _keep_pictures(page, station)
    assert await findings(page) == []
    for root in (16, 32):
        for width in WIDTHS:
            await page.set_viewport_size({"width": width, "height": 740})
            await page.evaluate("(px) => document.documentElement.style.fontSize = `${px}px`", root)
            assert await page.evaluate(TOO_WIDE) == [], f"{width} px, root {root} px"
            assert await page.evaluate(ONE_LETTER_LINES) == [], f"{width} px, root {root} px"


async def _keep_pictures(page: Page, station: str) -> None:
    folder = os.environ.get("PAGE_PICTURES")
    if not folder:
        return
    for width in (390, 1280):
        await page.set_viewport_size({"width": width, "height": 844})
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            path = Path(folder) / f"{station}-{width}-{scheme}.png"
            await page.screenshot(path=path, full_page=True)
