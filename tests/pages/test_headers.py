"""Every answer carries the security headers (9700-4.16-a, 9700-2.6-b, 9700-4.2.4-a)."""

import re

import msgspec
import pytest

from deviceflow.config import Settings
from deviceflow.pages.headers import security_headers
from tests.stage.pages import POLICY, Browser, OpenBrowser, Store, check_headers

CODE = "WDJBMJHT"


async def test_pages_of_a_person(ada: Browser, store: Store) -> None:
    """9700-4.16-a: device, confirmation and result pages cannot be framed."""
    store.grants.add(CODE)
    check_headers(await ada.open("/device"))
    check_headers(await ada.submit("/device", user_code=CODE))
    check_headers(await ada.follow(), policy=f"{POLICY}; script-src 'self'")
    check_headers(await ada.press("approve"))
    check_headers(await ada.open("/logout"))
    check_headers(await ada.open("/login"))


async def test_pages_of_a_stranger(browser: Browser) -> None:
    """9700-4.16-a: sign-in pages and redirects too."""
    check_headers(await browser.open("/login"))
    check_headers(await browser.open("/device"))
    check_headers(await browser.sign_in("ada", "wrong"))
    check_headers(await browser.sign_in("ada"))


@pytest.mark.parametrize("path", ["/nowhere", "/broken", "/static/nothing.css"])
async def test_error_pages(browser: Browser, path: str) -> None:
    """9700-4.16-a: error pages too."""
    check_headers(await browser.open(path))


async def test_refused_forms(browser: Browser) -> None:
    """9700-4.16-a: 403, 405, 413 and 415 are pages as well."""
    check_headers(await browser.post("/login", data={"a": "b"}))
    check_headers(await browser.post("/login", data={"a": "b" * 4096}))
    check_headers(await browser.post("/login", json={}))
    check_headers(await browser.client.delete("/login"))


async def test_no_other_site_reads_a_page(ada: Browser) -> None:
    """9700-2.6-b: no CORS on the verification page."""
    check_headers(await ada.open("/device", headers={"Origin": "https://evil.example"}))


async def test_a_server_with_tls_says_so_for_a_year(
    open_browser: OpenBrowser, settings: Settings
) -> None:
    browser = await open_browser(
        msgspec.structs.replace(settings, issuer="https://login.example.com")
    )
    for path in ("/login", "/device", "/nowhere"):
        answer = await browser.open(path)
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


async def test_nothing_comes_from_elsewhere_and_nothing_is_inline(
    ada: Browser, store: Store
) -> None:
    """9700-4.2.4-a: no third-party resources; the CSP has nothing to forbid."""
    store.grants.add(CODE)
    for visit, arguments in (
        (ada.open, "/device"),
        (ada.enter, CODE),
        (ada.press, "approve"),
        (ada.open, "/logout"),
        (ada.open, "/nowhere"),
    ):
        await visit(arguments)
        assert re.findall(r'(?:src|href|action)="(?!/)[^"]*"', ada.page) == []
        assert not re.search(r"<script(?! src=)|<style|\sstyle=|\son\w+=", ada.page)
        assert ("<script" in ada.page) == (visit == ada.enter)


async def test_the_host_header_is_not_believed(browser: Browser) -> None:
    """Absolute URLs come from the configured issuer only."""
    answer = await browser.open("/login", headers={"Host": "evil.example"})
    assert answer.headers["Location"] == "http://127.0.0.1:8628/login?at=issuer"
    answer = await browser.open("/login?at=issuer", headers={"Host": "evil.example"})
    assert answer.status == 200
    assert "evil.example" not in browser.page


def test_a_page_with_a_script_says_so() -> None:
    headers = security_headers(https=False, policy={"script-src": "'self'"})
    assert headers["Content-Security-Policy"] == f"{POLICY}; script-src 'self'"
