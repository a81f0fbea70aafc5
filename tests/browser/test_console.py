"""The console of operators in Chromium: live figures, decisions, and nothing for axe to find."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.looking import SCREENS, axe_findings_anywhere
from tests.stage.program import Notes, Program
from tests.stage.wire import Device

TOKEN = "0123456789abcdef" * 4
SITE = """
[log]
format = "json"

[device]
pace_slots = 4096

[admin]
token_file = "tokens"

[[clients]]
client_id = "tv"
name = "Living-room TV"
scopes = ["openid", "profile", "offline_access"]
interval_s = 1

[[users]]
username = "ada"
name = "Ada Lovelace"
password_hash = "$argon2id$none"
"""


@pytest.fixture(scope="module")
def site() -> Iterator[Program]:
    with TemporaryDirectory(prefix="df-") as folder:
        program = Program(Path(folder), (), Notes())
        program.config.write_text(SITE, encoding="utf-8")
        tokens = Path(folder) / "tokens"
        tokens.write_text(TOKEN, encoding="ascii")
        tokens.chmod(0o600)
        try:
            program.start()
            yield program
        finally:
            program.end()


@asynccontextmanager
async def signed_in(
    browser: Browser, site: Program, *, scripts: bool = True
) -> AsyncIterator[Page]:
    context = await browser.new_context(java_script_enabled=scripts, locale="en-GB")
    page = await context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda line: problems.append(line.text) if "Policy" in line.text else None)
    await page.goto(site.admin_url)
    await page.get_by_label("Token").fill(TOKEN)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("link", name="Overview")).to_be_visible()
    yield page
    assert problems == []
    await context.close()


async def find(page: Page, text: str) -> None:
    await page.get_by_role("link", name="Overview").click()
    await page.get_by_label("Find a grant").fill(text)
    await page.get_by_role("button", name="Find").click()


async def test_the_figures_are_live(browser: Browser, site: Program, pictures: Path | None) -> None:
    tv = Device(site, "tv").authorize()
    async with signed_in(browser, site) as page:
        polls = page.locator("[data-figure=polls]")
        await expect(polls.locator(".line")).to_have_attribute("d", re.compile("^M.*L"))
        tv.poll()
        row = page.get_by_role("row", name="authorization_pending")
        await expect(row).to_be_visible()
        await expect(row.get_by_role("meter")).to_have_attribute("aria-label", re.compile("part"))
        await expect(page.get_by_role("status")).to_contain_text("Store reachable")
        if pictures:
            await page.screenshot(path=pictures / "console.png")


async def test_a_grant_is_cancelled_after_a_question(browser: Browser, site: Program) -> None:
    tv = Device(site, "tv").authorize()
    async with signed_in(browser, site) as page:
        await find(page, tv.user_code.lower())
        await expect(page.get_by_role("heading", level=1)).to_contain_text("pending")
        await page.get_by_role("link", name="Cancel this grant").click()
        await page.get_by_role("link", name="Keep it").click()
        await page.get_by_role("link", name="Cancel this grant").click()
        await page.get_by_role("button", name="Cancel the grant").click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("cancelled")
    assert tv.wait() == "access_denied"


async def test_without_scripts(browser: Browser, site: Program) -> None:
    tv = Device(site, "tv").authorize()
    async with signed_in(browser, site, scripts=False) as page:
        await expect(page.locator("[data-figure=grants_pending] b")).to_have_text(re.compile(r"\d"))
        await find(page, tv.user_code)
        await page.get_by_role("link", name="Cancel this grant").click()
        await page.get_by_role("button", name="Cancel the grant").click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("cancelled")
        await expect(page.locator("time").first).to_contain_text("UTC")


async def test_a_token_that_is_wrong_and_signing_out(browser: Browser, site: Program) -> None:
    async with signed_in(browser, site) as page:
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_label("Token")).to_be_focused()
        await page.get_by_label("Token").fill("wrong")
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("alert")).to_contain_text("none of the tokens")
        assert await axe_findings_anywhere(page) == []
        await page.goto(f"{site.admin_url}/console/clients")
        await expect(page.get_by_label("Token")).to_be_visible()


async def test_axe_finds_nothing_and_nothing_overflows(browser: Browser, site: Program) -> None:
    tv = Device(site, "tv").authorize()
    tv.poll()
    async with signed_in(browser, site) as page:
        await find(page, tv.user_code)
        grant = page.url
        for path in (
            "/console",
            "/console?nothing",
            "/console/clients",
            "/console/clients/tv",
            "/console/clients/tv/cancel",
            "/console/audit",
            "/console/people/ada",
            "/console/people/ada/end?all=devices",
            "/console/nothing",
            grant.removeprefix(site.admin_url),
            f"{grant.removeprefix(site.admin_url)}/cancel",
        ):
            await page.goto(f"{site.admin_url}{path}")
            assert await axe_findings_anywhere(page) == [], path
            for size in SCREENS:
                await page.set_viewport_size(size)
                width = await page.evaluate("document.documentElement.scrollWidth")
                assert width <= size["width"], path
