"""axe-core finds nothing on any page, on a phone and on a desktop, in light and in dark."""

from collections.abc import AsyncIterator
from typing import Literal

import pytest
from playwright.async_api import Browser, Page, ViewportSize, expect

from tests.browser.conftest import module_loop
from tests.browser.stations import STATIONS
from tests.browser.walking import axe_findings
from tests.stage.program import Program

SCREENS: list[ViewportSize] = [{"width": 360, "height": 740}, {"width": 1280, "height": 800}]
SCHEMES: list[Literal["light", "dark"]] = ["light", "dark"]


@module_loop()
async def page(browser: Browser, network: str) -> AsyncIterator[Page]:
    context = await browser.new_context(
        reduced_motion="reduce", extra_http_headers={"X-Forwarded-For": network}
    )
    yield await context.new_page()
    await context.close()


@pytest.mark.parametrize("station", STATIONS)
async def test_a_page_of_people(shared_site: Program, page: Page, station: str) -> None:
    await STATIONS[station](page, shared_site)
    assert await findings(page) == []


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
    assert await findings(page) == []
    await context.close()


async def test_axe_would_find_something(shared_site: Program, page: Page) -> None:
    await STATIONS["code"](page, shared_site)
    await page.evaluate("document.querySelector('label').remove()")
    assert any("label" in finding for finding in await findings(page))


async def findings(page: Page) -> list[str]:
    """What axe-core finds, best practices too: the rule, where, and why."""
    found = []
    for screen in SCREENS:
        await page.set_viewport_size(screen)
        for scheme in SCHEMES:
            await page.emulate_media(color_scheme=scheme)
            found += [f"{screen['width']} {scheme} {each}" for each in await axe_findings(page)]
    return found
