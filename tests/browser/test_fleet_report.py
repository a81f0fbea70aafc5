"""The page about a fleet's run: axe-core finds nothing, and it has room on every screen."""

from pathlib import Path

import msgspec
from playwright.async_api import Browser

from deviceflow.fleet.objectives import judge, read_objective
from deviceflow.fleet.report.page import as_page
from deviceflow.fleet.result import Fault, read_result
from tests.browser.looking import WIDTHS, axe_findings_anywhere, screen
from tests.stage.fleet import RESULT

WANTED = [read_objective("wrong outcomes = 0"), read_objective("poll p99 < 50 ms")]
RUN = msgspec.structs.replace(
    RESULT,
    objectives=judge(WANTED, RESULT),
    faults=[*RESULT.faults, Fault(name="restart-all", title="everything is restarted", at_s=5.5)],
)
MEASURED = Path(__file__).parents[2] / "benchmarks" / "results" / "fleet.json"
"""What `python -m benchmarks fleet` has measured: the documentation shows its page."""


async def test_the_page_of_a_run(browser: Browser, pictures: Path | None) -> None:
    """Wide tables scroll in boxes of their own (WCAG 1.4.10), so the page never has to."""
    context = await browser.new_context(reduced_motion="reduce")
    page = await context.new_page()
    await page.set_content(as_page(RUN))
    await page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    assert await axe_findings_anywhere(page) == []
    for width in WIDTHS:
        await page.set_viewport_size(screen(width))
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
    if pictures and MEASURED.exists():
        await page.set_viewport_size({"width": 1280, "height": 1500})
        await page.emulate_media(color_scheme="light")
        await page.set_content(as_page(read_result(MEASURED.read_bytes())))
        await page.screenshot(path=pictures / "fleet.png")
    await context.close()
