"""The operator's own look."""

import re
from pathlib import Path

import msgspec
import pytest

from deviceflow.config import Pages, Settings
from deviceflow.core.colour import DARK_GROUND, LIGHT_GROUND, MIN_CONTRAST, contrast
from deviceflow.pages.look import LookError, read_look
from tests.stage.pages import TV, Browser, OpenBrowser, Store, check_headers
from tests.stage.pictures import picture, write_picture

CODE = "WDJBMJHT"
FOR_EVER = "public, max-age=31536000, immutable"


def with_pages(settings: Settings, **pages: object) -> Settings:
    return msgspec.structs.replace(settings, pages=msgspec.structs.replace(settings.pages, **pages))


def with_tv(settings: Settings, **fields: object) -> Settings:
    return msgspec.structs.replace(settings, clients=(msgspec.structs.replace(TV, **fields),))


async def question(browser: Browser, store: Store) -> None:
    await browser.sign_in()
    store.grants.add(CODE)
    await browser.enter(CODE)


@pytest.mark.parametrize(
    ("kind", "content_type"),
    [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp")],
)
async def test_the_logo_of_a_client_is_delivered_by_this_server(
    open_browser: OpenBrowser,
    store: Store,
    settings: Settings,
    tmp_path: Path,
    kind: str,
    content_type: str,
) -> None:
    logo = write_picture(tmp_path / "tv", kind)
    browser = await open_browser(with_tv(settings, logo=logo))
    await question(browser, store)
    found = re.search(r'<img class="logo" src="(/static/logo-[^"]+)" alt="">', browser.page)
    assert found
    answer = await browser.client.get(found[1])
    assert answer.content_type == content_type
    assert await answer.read() == picture(kind)
    check_headers(answer, cache=FOR_EVER)


async def test_the_logo_of_an_application_that_nobody_has_verified_is_not_shown(
    open_browser: OpenBrowser, store: Store, settings: Settings, tmp_path: Path
) -> None:
    fields = {"logo": write_picture(tmp_path / "tv"), "publisher": "Example Ltd"}
    browser = await open_browser(with_tv(settings, verified=False, **fields))
    await question(browser, store)
    assert 'class="logo"' not in browser.page
    assert "Example Ltd" not in browser.text


async def test_the_own_logo_and_links(
    open_browser: OpenBrowser, settings: Settings, tmp_path: Path
) -> None:
    links = {"Imprint": "https://example.com/imprint", "A & B": "https://example.com/?a=1&b=2"}
    logo = write_picture(tmp_path / "own.png")
    browser = await open_browser(with_pages(settings, logo=logo, links=links))
    for path in ("/login", "/device/sent", "/nowhere"):
        await browser.open(path)
        assert re.search(
            r'<img src="/static/logo-\w+\.png\?v=\w+" alt="" height="28">', browser.page
        )
        assert 'href="https://example.com/?a=1&amp;b=2" target="_blank"' in browser.page
        away = 'rel="noopener noreferrer" referrerpolicy="no-referrer"'
        assert browser.page.count(away) == 2
        assert "A & B" in browser.text


async def test_without_an_own_look(browser: Browser) -> None:
    await browser.open("/login")
    assert "favicon.svg" in browser.page
    assert "/static/look-" not in browser.page
    assert 'class="links"' not in browser.page


async def test_the_own_colour(open_browser: OpenBrowser, settings: Settings) -> None:
    """Without a style in the page itself, which its policy forbids."""
    browser = await open_browser(with_pages(settings, accent="#0b7a3b"))
    await browser.open("/login")
    [sheet] = re.findall(r'href="(/static/look-\w+\.css\?v=\w+)"', browser.page)
    assert browser.page.index("style.css") < browser.page.index(sheet)
    answer = await browser.open(sheet)
    assert answer.content_type == "text/css"
    check_headers(answer, cache=FOR_EVER)
    assert ":root { --accent: #0b7a3b;" in browser.page


@pytest.mark.parametrize("accent", ["#0b7a3b", "#000000", "#5b2a86", "#2F4FD0"])
def test_everything_in_the_own_colour_can_be_read(accent: str) -> None:
    style = read_look(Settings(pages=Pages(accent=accent))).style
    light, dark = style.split("@media (prefers-color-scheme: dark)")
    for text, ground in ((light, LIGHT_GROUND), (dark, DARK_GROUND)):
        values = dict(re.findall(r"--([\w-]+): (#\w+);", text))
        for name in ("accent", "accent-hover"):
            assert contrast(values[name], ground) >= MIN_CONTRAST
            assert contrast(values[name], values["on-accent"]) >= MIN_CONTRAST


def test_files_that_are_no_good_are_all_named(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_text("<svg/>")
    small = write_picture(tmp_path / "small.png", size=(8, 8))
    clients = (
        msgspec.structs.replace(TV, logo=small),
        msgspec.structs.replace(TV, client_id="radio", logo=str(tmp_path / "none.png")),
    )
    settings = Settings(pages=Pages(logo=str(tmp_path / "bad.png")), clients=clients)
    with pytest.raises(LookError) as raised:
        read_look(settings)
    right = (
        "expected a PNG, JPEG or WebP of 32 to 1024 pixels in each direction and at most 256 KiB"
    )
    assert raised.value.faults == [
        f"pages.logo: {tmp_path}/bad.png: is no such picture; {right}",
        f"clients[0].logo: {small}: has 8 x 8 pixels; {right}",
        f"clients[1].logo: {tmp_path}/none.png: cannot be read: No such file or directory; {right}",
    ]
