"""The pages about factors: axe-core finds nothing, and nothing leaves the screen."""

from collections.abc import AsyncIterator, Iterator

import pytest
from playwright.async_api import Browser, Page

from tests.browser.conftest import session_loop
from tests.browser.factor_stations import STATIONS
from tests.browser.factors import site_with_a_name
from tests.browser.looking import axe_findings_anywhere, out_of_room_anywhere
from tests.stage.program import Program


@pytest.fixture(scope="module")
def named_site() -> Iterator[Program]:
    with site_with_a_name() as site:
        yield site


@session_loop()
async def page(browser: Browser, network: str) -> AsyncIterator[Page]:
    context = await browser.new_context(
        reduced_motion="reduce", extra_http_headers={"X-Forwarded-For": network}
    )
    yield await context.new_page()
    await context.close()


@pytest.mark.parametrize("station", STATIONS)
async def test_a_page(
    named_site: Program, page: Page, station: str, subtests: pytest.Subtests
) -> None:
    await STATIONS[station](page, named_site)
    with subtests.test("axe-core finds nothing"):
        assert await axe_findings_anywhere(page) == []
    with subtests.test("nothing leaves the screen"):
        assert await out_of_room_anywhere(page, station) == []
