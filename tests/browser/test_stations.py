"""Every page of people in every state: it fits, axe-core finds nothing, it is an address.

The same is true of it in other languages. The test walks to a page once, and then looks at it.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Browser, BrowserContext, Page

from tests.browser.conftest import session_loop
from tests.browser.languages import languages_for, open_in
from tests.browser.looking import (
    axe_findings,
    axe_findings_anywhere,
    broken_names,
    lost_on_the_way,
    out_of_room,
    out_of_room_anywhere,
    screen,
    too_wide,
)
from tests.browser.stations import STATIONS
from tests.stage.program import Program

POSTED = {"foreign-form"}
"""Answers to a POST, as docs/decisions/0015 lists them: they have no address of their own."""

SHORT_LIVED = {"pause-sign-in"}
"""Pauses of a few seconds. What such a page says later is in `tests/pages/test_pause.py`."""

IN_THE_DOCS: dict[str, dict[str, Literal["light", "dark"]]] = {
    "question-abroad": {"question": "light", "question-dark": "dark"},
    "devices": {"devices": "light"},
}
"""The pages of which the documentation has pictures: their names, and light or dark."""


@session_loop(scope="module")
async def phone(chromium: Browser) -> AsyncIterator[BrowserContext]:
    """A phone for all tests of this file: a new window takes as long as a look at a page."""
    context = await chromium.new_context(viewport=screen(360), reduced_motion="reduce")
    await context.new_page()
    yield context
    await context.close()


@session_loop()
async def page(phone: BrowserContext, network: str) -> Page:
    """Its first window, as if it were new, in a network of its own."""
    page = phone.pages[0]
    await phone.clear_cookies()
    await phone.set_extra_http_headers({"X-Forwarded-For": network})
    await page.set_viewport_size(screen(360))
    await page.emulate_media(color_scheme="light")
    return page


@pytest.mark.parametrize("station", STATIONS)
async def test_a_page(
    shared_site: Program,
    page: Page,
    station: str,
    pictures: Path | None,
    subtests: pytest.Subtests,
) -> None:
    await STATIONS[station](page, shared_site)
    if pictures and station in IN_THE_DOCS:
        for name, scheme in IN_THE_DOCS[station].items():
            await page.emulate_media(color_scheme=scheme)
            await page.screenshot(path=pictures / f"{name}.png", full_page=True)
    with subtests.test("nothing leaves the screen"):
        assert await out_of_room_anywhere(page, station) == []
    with subtests.test("axe-core finds nothing"):
        assert await axe_findings_anywhere(page) == []
    if station not in POSTED | SHORT_LIVED:
        with subtests.test("it is an address"):
            assert await lost_on_the_way(page) == []
    if station not in POSTED:
        address = page.url
        for tag in languages_for(list(STATIONS).index(station)):
            with subtests.test("in another language", tag=tag):
                await open_in(page, shared_site, tag, address)
                await _expect_room_and_access(page)


async def _expect_room_and_access(page: Page) -> None:
    """At 320 px (WCAG 1.4.10), with the menu of languages closed and open."""
    await page.set_viewport_size({"width": 320, "height": 640})
    assert await out_of_room(page) == []
    assert await broken_names(page) == []
    await page.locator(".languages summary").click()
    assert await too_wide(page) == []
    assert await axe_findings(page) == []
