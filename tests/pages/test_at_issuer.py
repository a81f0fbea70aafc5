"""A browser that came by another name of the host goes to the issuer before it asks anything."""

import msgspec
import pytest

from deviceflow.config import Settings
from tests.stage.pages import Browser, OpenBrowser, check_headers

SHOWN = "WDJB-MJHT"
ISSUER = "http://127.0.0.1:8628"


@pytest.mark.parametrize(
    "host", ["localhost:8628", "127.0.0.1:9000", "127.0.0.1", "[::1]:8628", "a:b"]
)
@pytest.mark.parametrize("page", ["/device", "/login", "/account"])
async def test_another_name_leads_to_the_issuer(browser: Browser, host: str, page: str) -> None:
    """Forms count only at the issuer's origin, so a password is asked for there only."""
    answer = await browser.open(f"{page}?user_code={SHOWN}", headers={"Host": host})
    assert answer.status == 303
    assert answer.headers["Location"] == f"{ISSUER}{page}?at=issuer&user_code={SHOWN}"
    check_headers(answer)
    answer = await browser.open(page, headers={"Host": host})
    assert answer.headers["Location"] == f"{ISSUER}{page}?at=issuer"


async def test_a_proxy_that_passes_a_name_of_its_own_makes_no_loop(browser: Browser) -> None:
    answer = await browser.open("/login?at=issuer", headers={"Host": "upstream"})
    assert answer.status == 200


@pytest.mark.parametrize("host", ["login.example", "LOGIN.example", "login.example:443"])
async def test_the_issuer_s_own_name_stays(
    open_browser: OpenBrowser, settings: Settings, host: str
) -> None:
    browser = await open_browser(msgspec.structs.replace(settings, issuer="https://login.example"))
    assert (await browser.open("/login", headers={"Host": host})).status == 200


async def test_a_form_from_another_name_leads_to_the_issuer(browser: Browser) -> None:
    """The page that refuses it has a button, and that does not lead back."""
    await browser.open("/login")
    fields = browser.hidden | {"user_code": SHOWN, "username": "ada", "password": "ada"}
    answer = await browser.post("/login", data=fields, headers={"Origin": "http://localhost:8628"})
    assert answer.status == 403
    assert f'href="{ISSUER}/device?user_code={SHOWN}"' in browser.page


@pytest.mark.parametrize(
    ("written", "page"),
    [
        ("/device/", "/device"),
        ("/Device", "/device"),
        ("/DEVICE/", "/device"),
        ("//device", "/device"),
        ("/device//confirm/", "/device/confirm"),
        ("/Login", "/login"),
        ("/logout/", "/logout"),
    ],
)
async def test_a_page_is_found_however_its_address_is_written(
    browser: Browser, written: str, page: str
) -> None:
    url = browser.client.make_url("/").with_path(written).with_query(user_code=SHOWN)
    answer = await browser.client.session.get(url, allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (303, f"{page}?user_code={SHOWN}")


@pytest.mark.parametrize("written", ["/devices", "/device/nothing", "/xdevice", "/device/device"])
async def test_another_address_is_no_page(browser: Browser, written: str) -> None:
    assert (await browser.open(written)).status == 404
