"""Decisions in Chromium, by a recipe: what to do on which page of a server.

A recipe is a TOML file:

    open = "{address}"          # the address of the request; {user_code} is there, too
    done = ".outcome"           # what the page has on it when the decision has been made
    refused = ".error"          # or when a typed code is not taken

    [values]                    # what the steps may name in braces
    username = "demo"

    [[page]]
    when = "input[name=password]"           # a page that has this ...
    fill = { "input[name=username]" = "{username}", "input[name=password]" = "{password}" }
    click = "button[type=submit]"           # ... is filled in and sent

    [[page]]
    when = "button[value=approve]"
    choice = "approve"                      # only to approve
    click = "button[value=approve]"

The first page that fits is taken, again and again, until `done` or `refused` is there.
"""

import asyncio
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from deviceflow.conformance.decisions import Choice, ToDecide, Undecided

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, Page, Playwright

MAX_PAGES = 20
PAGE_TIMEOUT_MS = 30_000
NEXT_PAGE_TIMEOUT_MS = 10_000


class RecipePage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One page: how it is recognised, and what is done. All but `fill`'s values are selectors."""

    when: str
    click: str
    fill: dict[str, str] = {}
    check: tuple[str, ...] = ()
    choice: Choice | None = None


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The pages of a server, from the address of a request to the decision."""

    done: str
    page: tuple[RecipePage, ...]
    refused: str = ""
    open: str = "{address}"
    values: dict[str, str] = {}


def read_recipe(path: Path, values: dict[str, str]) -> Recipe:
    """Read a recipe; `values` replace its own. May raise ValueError (it says where), OSError."""
    try:
        recipe = msgspec.toml.decode(path.read_bytes(), type=Recipe)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path}: {error}") from error
    return msgspec.structs.replace(recipe, values=recipe.values | values)


class InBrowser:
    """A browser that decides by a recipe. It stays signed in from one decision to the next."""

    def __init__(self, recipe: Recipe, executable: str | None = None) -> None:
        self._recipe = recipe
        self._executable = executable
        self._opening = asyncio.Lock()
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None
        self._context: BrowserContext | None = None

    @property
    def can_guess(self) -> bool:
        """Whether it sees that a code is refused."""
        return bool(self._recipe.refused)

    async def decide(self, grant: ToDecide) -> None:
        """Walk the pages. Raises Undecided if none fits, or none of them ends it."""
        async with self._opening:  # one tab at a time: sign-ins at once would disturb each other
            context = await self._open()
            tab = await context.new_page()
            try:
                await self._walk(tab, grant)
            finally:
                await tab.close()

    async def close(self) -> None:
        """End the browser."""
        if self._browser is not None:
            await self._browser.close()
        if self._playwright is not None:
            await self._playwright.stop()

    async def _walk(self, tab: "Page", grant: ToDecide) -> None:
        tab.set_default_timeout(PAGE_TIMEOUT_MS)
        values = self._recipe.values | {
            "address": grant.address,
            "user_code": grant.user_code,
            "verification_uri": grant.verification_uri,
            "choice": grant.choice,
        }
        await tab.goto(self._recipe.open.format_map(values))
        for _ in range(MAX_PAGES):
            page = await self._recognised(tab, grant.choice)
            if page is None:
                return
            for selector, text in page.fill.items():
                await tab.fill(selector, text.format_map(values))
            for selector in page.check:
                for box in await tab.locator(selector).all():
                    await box.check()
            await _click(tab, page.click)
        raise Undecided(f"the recipe walks in a circle: after {MAX_PAGES} pages at {_place(tab)}")

    async def _recognised(self, tab: "Page", choice: Choice) -> RecipePage | None:
        """Return the page that is shown, None if the decision is made. Waits for either."""
        pages = [page for page in self._recipe.page if page.choice in (None, choice)]
        ends = [self._recipe.done, self._recipe.refused]
        known = ", ".join(filter(None, [*ends, *(page.when for page in pages)]))
        try:
            await tab.locator(known).first.wait_for(state="attached")
        except Exception as error:
            raise Undecided(f"no page of the recipe fits what is at {_place(tab)}") from error
        if await tab.locator(self._recipe.done).count():
            return None
        if self._recipe.refused and await tab.locator(self._recipe.refused).count():
            raise Undecided(f"the page at {_place(tab)} refuses the code")
        for page in pages:
            if await tab.locator(page.when).count():
                return page
        raise Undecided(f"the page at {_place(tab)} went away")

    async def _open(self) -> "BrowserContext":
        if self._context is None:
            self._playwright = await _playwright()
            options: dict[str, Any] = {"executable_path": self._executable}
            self._browser = await self._playwright.chromium.launch(**options)
            self._context = await self._browser.new_context(locale="en-US")
        return self._context


def find_chromium() -> str | None:
    """Return the path of a Chromium: `CHROMIUM`, or one that is installed; None without one.

    The shell without windows comes first: it does the same pages with half the work.
    """
    installed = map(shutil.which, ("chromium-headless-shell", "chromium", "chromium-browser"))
    return os.environ.get("CHROMIUM") or next(filter(None, installed), None)


async def _playwright() -> "Playwright":
    try:
        from playwright.async_api import async_playwright  # noqa: PLC0415, an extra
    except ImportError:
        raise Undecided("--approve browser needs Playwright: pip install playwright") from None
    return await async_playwright().start()


async def _click(tab: "Page", selector: str) -> None:
    """Click, and wait for the next page: on a slow server, the old one must not be sent twice."""
    from playwright.async_api import TimeoutError as NoNextPage  # noqa: PLC0415, an extra

    with suppress(NoNextPage):  # a page may also change in place
        async with tab.expect_event("domcontentloaded", timeout=NEXT_PAGE_TIMEOUT_MS):
            await tab.click(selector)
    await tab.wait_for_load_state("networkidle")


def _place(tab: "Page") -> str:
    """Return the address without its query, in which a code may stand."""
    return tab.url.partition("?")[0]
