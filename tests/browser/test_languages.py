"""A person chooses a language, and reads it as it is written. Room: `test_stations.py`."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import session_loop
from tests.browser.languages import MIRRORED, OTHERS, open_in
from tests.browser.stations import neighbour, question_near
from tests.browser.walking import ask, sign_in, television
from tests.stage.program import Program


@session_loop()
async def page(browser: Browser, network: str) -> AsyncIterator[Page]:
    context = await browser.new_context(
        viewport={"width": 320, "height": 640},
        reduced_motion="reduce",
        extra_http_headers={"X-Forwarded-For": network},
    )
    yield await context.new_page()
    await context.close()


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
