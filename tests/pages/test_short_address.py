"""The short address that devices show."""

import msgspec
import pytest

from deviceflow.config import Settings
from tests.stage.pages import OpenBrowser, check_headers

ISSUER = "http://127.0.0.1:8628"
SHORT = {"Host": "tv.example"}


def with_address(settings: Settings, address: str, **changes: object) -> Settings:
    device = msgspec.structs.replace(settings.device, verification_uri=address)
    return msgspec.structs.replace(settings, device=device, **changes)


@pytest.mark.parametrize("path", ["/go", "/go/", "/GO", "/go//"])
@pytest.mark.parametrize("host", ["tv.example", "127.0.0.1:8628"])
async def test_it_leads_to_the_page_for_a_code(
    open_browser: OpenBrowser, settings: Settings, path: str, host: str
) -> None:
    """At its own host and at this server's: a proxy may pass on either."""
    browser = await open_browser(with_address(settings, "https://tv.example/go"))
    browser.host = host
    check_headers(await browser.open(f"{path}?user_code=wdjb+mjht&x=1"))
    assert browser.answer.status == 302
    assert browser.answer.headers["Location"] == f"{ISSUER}/device?user_code=WDJB-MJHT"
    await browser.open(path)
    assert browser.answer.headers["Location"] == f"{ISSUER}/device"


async def test_a_host_alone(open_browser: OpenBrowser, settings: Settings) -> None:
    browser = await open_browser(with_address(settings, "https://tv.example"))
    await browser.open("/?user_code=WDJB-MJHT", headers=SHORT)
    assert browser.answer.headers["Location"] == f"{ISSUER}/device?user_code=WDJB-MJHT"


async def test_a_host_whose_proxy_leads_to_the_page_itself(
    open_browser: OpenBrowser, settings: Settings
) -> None:
    browser = await open_browser(with_address(settings, "https://tv.example/go"))
    await browser.open("/device?user_code=WDJB-MJHT", headers=SHORT)
    location = browser.answer.headers["Location"]
    assert location == f"{ISSUER}/device?at=issuer&user_code=WDJB-MJHT"


async def test_an_issuer_with_a_path(open_browser: OpenBrowser, settings: Settings) -> None:
    issuer = f"{ISSUER}/tenant"
    browser = await open_browser(with_address(settings, "https://tv.example/a/b", issuer=issuer))
    await browser.open("/a/b?user_code=WDJB-MJHT", headers=SHORT)
    assert browser.answer.headers["Location"] == f"{issuer}/device?user_code=WDJB-MJHT"
    await browser.open("/", headers=SHORT)
    assert browser.answer.headers["Location"] == "/tenant/device"


@pytest.mark.parametrize("code", ["", '"><script>', "A" * 100, "https://evil.example"])
async def test_nothing_but_a_code_is_carried(
    open_browser: OpenBrowser, settings: Settings, code: str
) -> None:
    browser = await open_browser(with_address(settings, "https://tv.example/go"))
    await browser.open("/go", params={"user_code": code}, headers=SHORT)
    location = browser.answer.headers["Location"]
    assert location.startswith(f"{ISSUER}/device")
    assert "evil" not in location
    assert "script" not in location.lower()


async def test_no_other_path_is_taken(open_browser: OpenBrowser, settings: Settings) -> None:
    """Characters of the path that mean something in a pattern mean themselves."""
    browser = await open_browser(with_address(settings, "https://tv.example/g.o"))
    assert (await browser.open("/g.o")).status == 302
    for path in ("/gxo", "/g.o/device", "/g"):
        assert (await browser.open(path)).status == 404
    assert (await browser.open("/login")).status == 200


@pytest.mark.parametrize(
    ("address", "complete"),
    [
        (None, f"{ISSUER}/device?user_code=WDJB-MJHT"),
        ("https://tv.example/go", "https://tv.example/go?user_code=WDJB-MJHT"),
        ("https://tv.example", "https://tv.example/?user_code=WDJB-MJHT"),
    ],
)
def test_what_a_device_shows(settings: Settings, address: str | None, complete: str) -> None:
    used = with_address(settings, address) if address else settings
    assert used.verification_uri == (address or f"{ISSUER}/device")
    assert used.verification_uri_complete("WDJB-MJHT") == complete
