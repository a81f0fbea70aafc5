"""Every page is an address: reload, Back to it, and a second tab show it, and never the browser's.

So does a tab that the browser has discarded: it keeps the address only.
"""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import module_loop
from tests.browser.stations import STATIONS
from tests.browser.walking import expect_heading
from tests.stage.program import Program

POSTED = {"foreign-form"}
"""Answers to a POST, as docs/decisions/0015 lists them."""

SHORT_LIVED = {"pause-sign-in"}
"""Pauses of a few seconds. What such a page says later is in `tests/pages/test_pause.py`."""


@module_loop()
async def context(browser: Browser, network: str) -> AsyncIterator[BrowserContext]:
    context = await browser.new_context(
        viewport={"width": 360, "height": 740}, extra_http_headers={"X-Forwarded-For": network}
    )
    yield context
    await context.close()


@pytest.mark.parametrize("station", [name for name in STATIONS if name not in POSTED | SHORT_LIVED])
async def test_a_page_is_an_address(
    shared_site: Program, context: BrowserContext, station: str
) -> None:
    page = await context.new_page()
    await STATIONS[station](page, shared_site)
    heading = await _heading(page)
    address = page.url
    methods: list[str] = []
    context.on("request", lambda request: methods.append(request.method))
    await page.reload()
    await expect_heading(page, heading)
    await page.goto(f"{shared_site.url}/elsewhere")
    await page.go_back()
    await expect_heading(page, heading)
    tab = await context.new_page()
    await tab.goto(address)
    await expect_heading(tab, heading)
    assert set(methods) == {"GET"}
    assert (page.url, tab.url) == (address, address)


async def _heading(page: Page) -> str:
    heading = page.get_by_role("heading", level=1)
    await expect(heading).to_be_visible()
    return await heading.inner_text()
