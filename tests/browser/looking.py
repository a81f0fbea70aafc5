"""What is true of every page, whatever it says: rules that a look at it proves.

Each function takes a page that is open and returns what is wrong with it, in words; an empty list
is good. `PAGE_PICTURES=FOLDER` keeps a picture of every page whose room is measured.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Page, Request, ViewportSize, expect

SCREENS: list[ViewportSize] = [{"width": 360, "height": 740}, {"width": 1280, "height": 800}]
SCHEMES: list[Literal["light", "dark"]] = ["light", "dark"]
ABOUT_COLOURS = ("color-contrast", "link-in-text-block")
"""The rules of axe-core that look at colours."""

WIDTHS = [195, 260, 320, 360, 1280]
# What a closed menu hides may have the box of an earlier width: it is not laid out.
_TOO_WIDE = """() => {
  const width = document.documentElement.clientWidth;
  const wide = [...document.querySelectorAll("body *:not(.unseen)")].filter((element) => {
    const box = element.getBoundingClientRect();
    const leaves = box.right > width + 0.5 || box.left < -0.5;
    return box.width > 0 && leaves && element.checkVisibility();
  });
  const scrolls = document.documentElement.scrollWidth > width;
  return wide.map((element) => element.outerHTML.slice(0, 80)).concat(scrolls ? ["page"] : []);
}"""
_ONE_LETTER_LINES = """() => [...document.querySelectorAll("h1, p, li, dd, .button")]
  .filter((element) => element.checkVisibility() && !element.closest(".unseen"))
  .filter((element) => element.textContent.trim().length > 8)
  .filter((element) => element.getBoundingClientRect().width <
      3 * parseFloat(getComputedStyle(element).fontSize))
  .map((element) => element.outerHTML.slice(0, 80))"""
_BROKEN_NAMES = """() => [...document.querySelectorAll("dt:not(:lang(ja), :lang(zh))")]
  .flatMap((name) => [...name.textContent.matchAll(/[^\\s-]+/g)].filter((word) => {
    const range = document.createRange();
    range.setStart(name.firstChild, word.index);
    range.setEnd(name.firstChild, word.index + word[0].length);
    return new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size > 1;
  }).map((word) => word[0]))"""

_RUN_AXE = """(options) =>
  window.axe ? axe.run(options).then((results) => results.violations) : null"""
_ROOT_SIZE = "(px) => document.documentElement.style.fontSize = px ? `${px}px` : ''"


async def too_wide(page: Page) -> list[str]:
    """What leaves the screen at its present width (WCAG 1.4.10)."""
    found: list[str] = await page.evaluate(_TOO_WIDE)
    return found


async def out_of_room(page: Page) -> list[str]:
    """What leaves the screen, and texts that are squeezed into a column of letters."""
    squeezed: list[str] = await page.evaluate(_ONE_LETTER_LINES)
    return await too_wide(page) + squeezed


async def broken_names(page: Page) -> list[str]:
    """Words that are broken in two, in the names of facts."""
    broken: list[str] = await page.evaluate(_BROKEN_NAMES)
    return broken


async def out_of_room_anywhere(page: Page, name: str) -> list[str]:
    """The same at each width, and with text of double size (WCAG 1.4.4)."""
    found = []
    for root in (16, 32):
        for width in WIDTHS:
            await page.set_viewport_size(screen(width))
            await page.evaluate(_ROOT_SIZE, root)
            await _keep_pictures(page, f"{name}-{width}-{root}")
            found += [f"{width} px, root {root} px: {each}" for each in await out_of_room(page)]
    await page.evaluate(_ROOT_SIZE, 0)
    return found


async def axe_findings(page: Page, rules: Sequence[str] = ()) -> list[str]:
    """What axe-core finds, best practices too: the rule, where, and why. `rules`: only by these."""
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if rules:
        options["runOnly"] = {"type": "rule", "values": list(rules)}
    violations = await page.evaluate(_RUN_AXE, options)
    if violations is None:  # this document has not been looked at
        await page.evaluate(AXE_SCRIPT)
        violations = await page.evaluate(_RUN_AXE, options)
    return [
        f"{rule['id']} {node['target']} {node['failureSummary']}"
        for rule in violations
        for node in rule["nodes"]
    ]


async def axe_findings_anywhere(page: Page) -> list[str]:
    """The same on a phone and on a desktop, in light and in dark.

    Dark pages have other colours and nothing else (`test_axe.py`).
    """
    found = []
    for size in SCREENS:
        await page.set_viewport_size(size)
        for scheme in SCHEMES:
            await page.emulate_media(color_scheme=scheme)
            findings = await axe_findings(page, ABOUT_COLOURS if scheme == "dark" else ())
            found += [f"{size['width']} {scheme} {each}" for each in findings]
    return found


async def lost_on_the_way(page: Page) -> list[str]:
    """Which way back to the page shows something else.

    A reload, Back to it, and another tab, which knows the address only, as does a tab that the
    browser has discarded. None of them may send a form again.
    """
    heading, address = await _heading(page), page.url
    sent: list[str] = []

    def note(request: Request) -> None:
        sent.append(request.method)

    page.context.on("request", note)
    others = [tab for tab in page.context.pages if tab is not page]
    tab = others[0] if others else await page.context.new_page()
    shown = {}
    await page.reload()
    shown["reload"] = await _heading(page), page.url
    await page.goto(f"{address.partition('?')[0].rpartition('/')[0]}/elsewhere")
    await page.go_back()
    shown["Back"] = await _heading(page), page.url
    await tab.goto(address)
    shown["another tab"] = await _heading(tab), tab.url
    page.context.remove_listener("request", note)
    lost = [f"{way}: {what}" for way, what in shown.items() if what != (heading, address)]
    return lost + [f"sent {method}" for method in set(sent) - {"GET"}]


def screen(width: int) -> ViewportSize:
    """A phone or a desktop of that width."""
    return {"width": width, "height": 740 if width < 600 else 800}


async def keep_picture(page: Page, name: str) -> None:
    """Keep a picture of the page as it is, where somebody asked for pictures."""
    folder = os.environ.get("PAGE_PICTURES")
    if folder:
        await page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


async def _keep_pictures(page: Page, name: str) -> None:
    for scheme in SCHEMES if os.environ.get("PAGE_PICTURES") else ():
        await page.emulate_media(color_scheme=scheme)
        await keep_picture(page, f"{name}-{scheme}")


async def _heading(page: Page) -> str:
    heading = page.get_by_role("heading", level=1)
    await expect(heading).to_be_visible()
    return await heading.inner_text()
