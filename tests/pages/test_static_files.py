"""Static files: kept by their content, and no other file can be named."""

import re

import pytest
from yarl import URL

from tests.stage.pages import Browser, check_headers


async def test_static_files_may_be_kept_by_their_content(browser: Browser) -> None:
    await browser.open("/login")
    for address in re.findall(r'"(/static/[^"]+)"', browser.page):
        answer = await browser.open(address)
        assert answer.status == 200
        check_headers(answer, cache="public, max-age=31536000, immutable")
    answer = await browser.open("/static/style.css")
    assert answer.content_type == "text/css"
    check_headers(answer)


@pytest.mark.parametrize("name", ["..%2Ferror.html", "%2e%2e", "error.html", "style.css%00"])
async def test_no_other_file_can_be_named(browser: Browser, name: str) -> None:
    answer = await browser.open(URL(f"/static/{name}", encoded=True))
    assert answer.status == 404
