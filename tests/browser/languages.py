"""The languages in which the tests look at pages."""

import os

from playwright.async_api import Page

from deviceflow.config import Pages
from tests.stage.program import Program

MIRRORED = ["ar"]
"""The language that is most unlike English on the screen: each page is looked at in it."""

OTHERS = [tag for tag in Pages().languages if tag not in {"en", *MIRRORED}]
"""The others take turns, one for each page; ALL_LANGUAGES=1 looks at each page in all of them."""


def languages_for(turn: int) -> list[str]:
    """The languages in which page number `turn` is looked at."""
    turn %= len(OTHERS)
    return [*MIRRORED, *(OTHERS if os.environ.get("ALL_LANGUAGES") else OTHERS[turn : turn + 1])]


async def open_in(page: Page, site: Program, tag: str, address: str) -> None:
    """Open a page in a language, as after a link of a device."""
    await page.request.get(f"{site.url}/device?ui_locales={tag}", max_redirects=0)
    await page.goto(address)
    assert await page.locator("html").get_attribute("lang") == tag
