"""Every answer carries the security headers (9700-4.16-a, 9700-2.6-b, 9700-4.2.4-a)."""

import re

import msgspec
import pytest
from aiohttp import ClientResponse

from deviceflow.config import Settings
from deviceflow.pages.headers import security_headers
from tests.stage.pages import Browser, OpenBrowser, Store

CODE = "WDJBMJHT"
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)


def _check(answer: ClientResponse, cache: str = "no-store") -> None:
    headers = answer.headers
    assert headers["Content-Security-Policy"] == POLICY
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert headers["Cache-Control"] == cache
    assert "Strict-Transport-Security" not in headers
    assert not [name for name in headers if name.lower().startswith("access-control-")]


async def test_pages_of_a_person(ada: Browser, store: Store) -> None:
    """9700-4.16-a: device, confirmation and result pages cannot be framed."""
    store.grants.add(CODE)
    _check(await ada.open("/device"))
    _check(await ada.enter(CODE))
    _check(await ada.submit("/device", decision="approve"))
    _check(await ada.open("/logout"))
    _check(await ada.open("/login"))


async def test_pages_of_a_stranger(browser: Browser) -> None:
    """9700-4.16-a: sign-in pages and redirects too."""
    _check(await browser.open("/login"))
    _check(await browser.open("/device"))
    _check(await browser.sign_in("ada", "wrong"))
    _check(await browser.sign_in("ada"))


@pytest.mark.parametrize("path", ["/nowhere", "/broken", "/static/nothing.css"])
async def test_error_pages(browser: Browser, path: str) -> None:
    """9700-4.16-a: error pages too."""
    _check(await browser.open(path))


async def test_refused_forms(browser: Browser) -> None:
    """9700-4.16-a: 403, 405, 413 and 415 are pages as well."""
    _check(await browser.post("/login", data={"a": "b"}))
    _check(await browser.post("/login", data={"a": "b" * 4096}))
    _check(await browser.post("/login", json={}))
    _check(await browser.client.delete("/login"))


async def test_no_other_site_reads_a_page(ada: Browser) -> None:
    """9700-2.6-b: no CORS on the verification page."""
    _check(await ada.open("/device", headers={"Origin": "https://evil.example"}))


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
    for visit in (ada.open("/device"), ada.enter(CODE), ada.open("/logout"), ada.open("/nowhere")):
        await visit
        assert re.findall(r'(?:src|href|action)="(?!/)[^"]*"', ada.page) == []
        assert not re.search(r"<script|<style|\sstyle=|\son\w+=", ada.page)


async def test_the_host_header_is_not_believed(browser: Browser) -> None:
    """Absolute URLs come from the configured issuer only."""
    answer = await browser.open("/login", headers={"Host": "evil.example"})
    assert answer.status == 200
    assert "evil.example" not in browser.page
    answer = await browser.open("/device", headers={"Host": "evil.example"})
    assert answer.headers["Location"] == "/login"


async def test_static_files_may_be_kept_by_their_content(browser: Browser) -> None:
    await browser.open("/login")
    for address in re.findall(r'"(/static/[^"]+)"', browser.page):
        answer = await browser.open(address)
        assert answer.status == 200
        _check(answer, cache="public, max-age=31536000, immutable")
    answer = await browser.open("/static/style.css")
    assert answer.content_type == "text/css"
    _check(answer)


@pytest.mark.parametrize("name", ["..%2Flogin.html", "%2e%2e", "login.html", "style.css%00"])
async def test_no_other_file_can_be_named(browser: Browser, name: str) -> None:
    answer = await browser.open(f"/static/{name}")
    assert answer.status == 404


def test_a_page_with_a_script_says_so() -> None:
    headers = security_headers(https=False, policy={"script-src": "'self'"})
    assert headers["Content-Security-Policy"] == f"{POLICY}; script-src 'self'"
