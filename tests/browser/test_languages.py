"""Every page in every language: nothing leaves the screen, and axe-core finds nothing."""

import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from deviceflow.config import Pages
from tests.browser.conftest import module_loop
from tests.browser.stations import STATIONS, neighbour, question_near
from tests.browser.test_layout import ONE_LETTER_LINES, TOO_WIDE
from tests.browser.walking import ask, axe_findings, sign_in, television
from tests.stage.program import Program

MIRRORED = ["ar"]
"""The language that is most unlike English on the screen: each page is looked at in it."""

OTHERS = [tag for tag in Pages().languages if tag not in {"en", *MIRRORED}]
"""The others take turns, one for each page; ALL_LANGUAGES=1 looks at each page in all of them."""

OPENED = {name: visit for name, visit in STATIONS.items() if name != "foreign-form"}
"""The pages that can be opened by their address. The other one is the answer to a form."""


@module_loop()
async def page(browser: Browser, network: str) -> AsyncIterator[Page]:
    context = await browser.new_context(
        viewport={"width": 320, "height": 640},
        reduced_motion="reduce",
        extra_http_headers={"X-Forwarded-For": network},
    )
    yield await context.new_page()
    await context.close()


def languages_for(station: str) -> list[str]:
    """The languages in which a page is looked at."""
    turn = list(OPENED).index(station) % len(OTHERS)
    others = OTHERS if os.environ.get("ALL_LANGUAGES") else OTHERS[turn : turn + 1]
    return [*MIRRORED, *others]


async def open_in(page: Page, site: Program, tag: str, address: str) -> None:
    """Open a page in a language, as after a link of a device."""
    await page.request.get(f"{site.url}/device?ui_locales={tag}", max_redirects=0)
    await page.goto(address)
    assert await page.locator("html").get_attribute("lang") == tag


@pytest.mark.parametrize("station", OPENED)
async def test_a_page_in_every_language(shared_site: Program, page: Page, station: str) -> None:
    """At 320 px (WCAG 1.4.10), with the menu of languages open and closed."""
    await OPENED[station](page, shared_site)
    address = page.url
    for tag in languages_for(station):
        await open_in(page, shared_site, tag, address)
        assert await page.evaluate(TOO_WIDE) == [], tag
        assert await page.evaluate(ONE_LETTER_LINES) == [], tag
        await page.locator(".languages summary").click()
        assert await page.evaluate(TOO_WIDE) == [], tag
        assert await axe_findings(page) == [], tag


async def test_a_person_chooses_a_language(shared_site: Program, browser: Browser) -> None:
    """Without JavaScript, in the menu, and the page with its code stays."""
    context = await browser.new_context(locale="fr-CH", java_script_enabled=False)
    page = await context.new_page()
    code = television(shared_site).user_code
    await page.goto(f"{shared_site.url}/device?user_code={code}")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Se connecter")
    await page.get_by_text("Français").first.click()
    await page.get_by_role("link", name="Polski").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Zaloguj się")
    assert page.url.endswith(f"user_code={code}")
    await page.get_by_text("Polski").first.click()
    await page.get_by_role("link", name="English").click()
    await sign_in(page)
    await expect(page.get_by_label("Code")).to_have_value(code)
    await context.close()


async def test_arabic_is_mirrored_and_codes_are_not(
    shared_site: Program, page: Page, pictures: Path | None
) -> None:
    await question_near(page, shared_site)
    await open_in(page, shared_site, "ar", page.url)
    if pictures:
        await page.screenshot(path=pictures / "question-ar.png", full_page=True)
    assert await page.locator("html").get_attribute("dir") == "rtl"
    deny = await page.locator("[value=deny]").bounding_box()
    approve = await page.locator("[value=approve]").bounding_box()
    assert deny is not None
    assert approve is not None
    assert deny["x"] > approve["x"], "the first button is on the right"
    for part in (".code", ".facts bdi[dir]"):
        direction = "(element) => getComputedStyle(element).direction"
        assert await page.locator(part).first.evaluate(direction) == "ltr"


async def test_times_are_in_the_language_of_the_page(shared_site: Program, page: Page) -> None:
    """By the script, too: with the digits and the calendar of the rest of the page."""
    await ask(page, shared_site, await neighbour(page, shared_site))
    address = page.url
    for tag in [*MIRRORED, *OTHERS]:
        await open_in(page, shared_site, tag, address)
        times = await page.locator("time[data-local]").all_inner_texts()
        assert all(re.search(r"[0-9]{1,2}:[0-9]{2}", text) for text in times), (tag, times)
