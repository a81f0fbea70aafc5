"""axe-core finds nothing in the demo, and would find something. Other pages: `test_stations.py`."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import session_loop
from tests.browser.looking import axe_findings_anywhere
from tests.browser.stations import code_form
from tests.stage.checkout import TEMPLATES
from tests.stage.program import Program

STYLES = sorted(TEMPLATES.rglob("*.css"))
DARK = re.compile(r"@media[^{]*prefers-color-scheme[^{]*\{\s*:root \{([^}]*)\}\s*\}")
VARIABLE = re.compile(r"--shadow: .+|--[\w-]+: #[0-9a-f]{6}")


@session_loop()
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


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
def test_dark_pages_have_other_colours_and_nothing_else(style: Path) -> None:
    """So the rules that look at colours suffice for them."""
    text = style.read_text(encoding="utf-8")
    (block,) = DARK.findall(text)
    assert text.count("prefers-color-scheme") == 1
    for declaration in block.strip().strip(";").split(";"):
        assert VARIABLE.fullmatch(declaration.strip()), declaration


async def test_axe_would_find_a_faint_text(shared_site: Program, page: Page) -> None:
    """On a dark page only, on which all other rules are left out."""
    await code_form(page, shared_site)
    rule = "@media (prefers-color-scheme: dark) { :root { --ink: #30333a } }"
    await page.evaluate("(rule) => document.styleSheets[0].insertRule(rule, 99)", rule)
    findings = await axe_findings_anywhere(page)
    assert findings
    assert all("dark color-contrast" in finding for finding in findings)
