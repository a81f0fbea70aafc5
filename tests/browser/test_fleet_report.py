"""The page about a fleet's run: axe-core finds nothing, and it has room on every screen."""

import msgspec
from playwright.async_api import Browser

from deviceflow.fleet.objectives import judge, read_objective
from deviceflow.fleet.report.page import as_page
from deviceflow.fleet.result import Fault
from tests.browser.looking import WIDTHS, axe_findings_anywhere, screen
from tests.stage.fleet import RESULT

WANTED = [read_objective("wrong outcomes = 0"), read_objective("poll p99 < 50 ms")]
RUN = msgspec.structs.replace(
    RESULT,
    objectives=judge(WANTED, RESULT),
    faults=[*RESULT.faults, Fault(name="restart-all", title="everything is restarted", at_s=5.5)],
)


async def test_the_page_of_a_run(browser: Browser) -> None:
    """Wide tables scroll in boxes of their own (WCAG 1.4.10), so the page never has to."""
    context = await browser.new_context(reduced_motion="reduce")
    page = await context.new_page()
    await page.set_content(as_page(RUN))
    await page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    assert await axe_findings_anywhere(page) == []
    for width in WIDTHS:
        await page.set_viewport_size(screen(width))
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
    await context.close()
