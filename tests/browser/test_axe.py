"""axe-core finds nothing in the demo, and would find something. Other pages: `test_stations.py`."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import module_loop
from tests.browser.looking import axe_findings_anywhere
from tests.browser.stations import code_form
from tests.stage.program import Program


@module_loop()
async def page(browser: Browser, network: str) -> AsyncIterator[Page]:
    context = await browser.new_context(
        reduced_motion="reduce", extra_http_headers={"X-Forwarded-For": network}
    )
    yield await context.new_page()
    await context.close()


@pytest.mark.parametrize("state", ["code", "approved", "denied", "expired", "failed"])
async def test_the_demo(demo: str, browser: Browser, state: str) -> None:
    """The television's states are set by hand: the walks through them are in `test_demo.py`."""
    context = await browser.new_context(reduced_motion="reduce")
    page = await context.new_page()
    await page.goto(f"{demo}/demo")
    await expect(page.locator("#tv")).to_have_attribute("data-state", "code")
    await page.evaluate(
        """(state) => {
          for (const view of document.querySelectorAll("[data-view]")) {
            view.hidden = view.dataset.view !== state;
          }
          document.getElementById("tv").dataset.state = state;
        }""",
        state,
    )
    assert await axe_findings_anywhere(page) == []
    await context.close()


async def test_axe_would_find_something(shared_site: Program, page: Page) -> None:
    await code_form(page, shared_site)
    await page.evaluate("document.querySelector('label').remove()")
    assert any("label" in finding for finding in await axe_findings_anywhere(page))
