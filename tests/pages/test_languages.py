"""In which language a page is, and how a person chooses another."""

import asyncio
import re

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from deviceflow.config import Pages, Settings
from deviceflow.pages.languages import read_languages
from deviceflow.pages.texts import language
from tests.stage.examples import unless_few
from tests.stage.pages import COOKIE, Browser, MakeApp, OpenBrowser, Store, check_headers

CODE, SHOWN = "WDJBMJHT", "WDJB-MJHT"
GERMAN, FRENCH, POLISH = "Anmelden", "Se connecter", "Zaloguj się"
TITLES = {"de": GERMAN, "en": "Sign in", "fr": FRENCH, "pl": POLISH}


def tag_of(browser: Browser) -> str:
    """The language of the page, which its header and its heading are in too."""
    found = re.search(r'<html lang="([^"]+)" dir="(ltr|rtl)">', browser.page)
    assert found
    tag = found[1]
    assert browser.answer.headers["Content-Language"] == tag
    assert browser.answer.headers["Vary"] == "Accept-Language, Cookie"
    assert (found[2] == "rtl") is (tag == "ar")
    if browser.answer.status == 200 and tag in TITLES and "/login" in str(browser.answer.url):
        assert f"<h1>{TITLES[tag]}</h1>" in browser.page
    return tag


async def test_of_a_browser_that_says_nothing(browser: Browser) -> None:
    await browser.open("/login")
    assert tag_of(browser) == "en"


@pytest.mark.parametrize(
    ("header", "tag"), [("de-AT,de;q=0.9,en;q=0.8", "de"), ("sv, ar;q=0.5", "ar"), ("sv", "en")]
)
async def test_of_a_browser_that_names_languages(browser: Browser, header: str, tag: str) -> None:
    """RFC 9110 12.5.4."""
    await browser.open("/login", headers={"Accept-Language": header})
    assert tag_of(browser) == tag


async def test_the_order_of_what_decides(browser: Browser) -> None:
    """`ui_locales`, and its cookie; then the choice in the menu; then the browser's languages."""
    polish = {"Accept-Language": "pl"}
    await browser.open("/login", headers=polish)
    assert tag_of(browser) == "pl"
    await browser.open("/language?to=fr", headers=polish)
    await browser.open("/login", headers=polish)
    assert tag_of(browser) == "fr"
    await browser.open("/login?ui_locales=de", headers=polish)
    assert tag_of(browser) == "de"
    await browser.open("/login", headers=polish)
    assert tag_of(browser) == "de"
    await browser.open("/language?to=fr", headers=polish)
    await browser.open("/login", headers=polish)
    assert tag_of(browser) == "fr"


async def test_a_device_s_language_goes_with_the_person(browser: Browser, store: Store) -> None:
    """OpenID Connect Core 3.1.2.1: from the link, through every redirect and form, to the end."""
    store.grants.add(CODE)
    await browser.open(f"/device?user_code={SHOWN}&ui_locales=de-CH%20fr")
    assert browser.answer.status == 303
    await browser.follow()
    assert tag_of(browser) == "de"
    await browser.sign_in("ada")
    await browser.follow()
    await browser.enter(SHOWN)
    assert tag_of(browser) == "de"
    assert "Living-room TV mit Ihrem Konto verbinden?" in browser.text
    assert "vor 2 Minuten" in browser.text
    assert "5. Nov. 2026, 14:01 UTC" in browser.text
    await browser.press("approve")
    await browser.follow()
    assert "Sie können zu Ihrem Gerät zurückkehren" in browser.text


async def test_another_name_of_the_host_keeps_the_language(browser: Browser) -> None:
    for asked, kept in (("pl", "&ui_locales=pl"), ("xx pl-PL", "&ui_locales=pl"), ("xx", "")):
        address = f"/device?user_code={SHOWN}&ui_locales={asked.replace(' ', '+')}"
        answer = await browser.open(address, headers={"Host": "localhost:8628"})
        place = f"http://127.0.0.1:8628/device?at=issuer&user_code={SHOWN}{kept}"
        assert answer.headers["Location"] == place


@pytest.mark.parametrize("asked", ["sv", "*", "", "de;q=1", "en<script>", "../de", "de%0d%0aX:y"])
async def test_what_names_no_language_is_ignored(browser: Browser, asked: str) -> None:
    answer = await browser.open(f"/login?ui_locales={asked}", headers={"Accept-Language": "fr"})
    assert tag_of(browser) == "fr"
    assert "ui-locales" not in str(answer.headers.getall("Set-Cookie", []))
    assert "script>" not in browser.page


@hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=unless_few(50)
)
@given(st.text(max_size=40), st.text(max_size=20))
async def test_nothing_of_the_address_is_repeated(
    browser: Browser, asked: str, choice: str
) -> None:
    """No answer is an error, and a cookie only ever holds the tag of an offered language."""
    offered = {*Pages().languages, '""'}
    for path, query in (("/login", {"ui_locales": asked}), ("/language", {"to": choice})):
        answer = await browser.client.get(path, params=query, allow_redirects=False)
        assert answer.status in {200, 303}
        for name, cookie in answer.cookies.items():
            if name.endswith(("-language", "-ui-locales")):
                assert cookie.value in offered | {""}


@pytest.mark.parametrize("name", ["language", "ui-locales"])
@pytest.mark.parametrize("value", ["xx", "../de", "DE", ""])
async def test_a_cookie_that_this_server_did_not_write(
    browser: Browser, name: str, value: str
) -> None:
    browser.client.session.cookie_jar.update_cookies({f"{COOKIE}-{name}": value})
    await browser.open("/login")
    assert tag_of(browser) == "en"


# The menu


async def test_the_menu_has_every_language_by_its_own_name(browser: Browser) -> None:
    await browser.open("/login")
    for tag, name in (("de", "Deutsch"), ("ar", "العربية"), ("zh-Hans", "简体中文")):
        link = rf'<a href="/language\?to={tag}" hreflang="{tag}" lang="{tag}" dir="\w+"\s*>{name}<'
        assert re.search(link, browser.page), tag
    assert re.search(r'aria-current="true">English<', browser.page)


async def test_a_choice_is_kept_and_leads_back(browser: Browser) -> None:
    page = f"http://127.0.0.1:8628/login?user_code={SHOWN}&ui_locales=de"
    await browser.open(f"/login?user_code={SHOWN}&ui_locales=de")
    answer = await browser.open("/language?to=pl", headers={"Referer": page})
    assert answer.status == 303
    assert answer.headers["Location"] == f"/login?user_code={SHOWN}"
    check_headers(answer)
    kept = answer.cookies[f"{COOKIE}-language"]
    assert (kept.value, kept["max-age"], kept["httponly"]) == ("pl", "31536000", True)
    await browser.follow()
    assert tag_of(browser) == "pl"


@pytest.mark.parametrize(
    ("referrer", "page"),
    [
        (None, "/device"),
        ("https://evil.example/device", "/device"),
        ("http://127.0.0.1:8628//evil.example/x", "/evil.example/x"),
        ("http://127.0.0.1:8628/\\evil.example", "/evil.example"),
        ("http://127.0.0.1:8628", "/"),
        ("http://127.0.0.1:99999999/", "/device"),
        ("http://127.0.0.1:8628/nowhere?a=%0d%0aX:%20y", "/nowhere?a=%0D%0AX%3A+y"),
        ("://", "/device"),
    ],
)
async def test_a_choice_leads_to_this_server_only(
    browser: Browser, referrer: str | None, page: str
) -> None:
    """RFC 9700 4.11: no open redirector."""
    headers = {"Referer": referrer} if referrer else {}
    answer = await browser.open("/language?to=pl", headers=headers)
    assert answer.headers["Location"] == page


@pytest.mark.parametrize("page", [b"/device?a=\xff", b"/\xff", "/ä".encode()])
async def test_a_referer_that_is_no_address(browser: Browser, page: bytes) -> None:
    reader, writer = await asyncio.open_connection(browser.client.host, browser.client.port)
    sent = b"Referer: http://127.0.0.1:8628" + page
    writer.write(b"GET /language?to=pl HTTP/1.1\r\nHost: x\r\n" + sent + b"\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    assert head.startswith(b"HTTP/1.1 303 ")
    assert b"\r\nLocation: /device\r\n" in head


async def test_a_choice_of_nothing_changes_nothing(browser: Browser) -> None:
    answer = await browser.open("/language?to=xx")
    assert answer.status == 303
    assert not answer.cookies


# Settings


async def test_the_operator_s_languages(open_browser: OpenBrowser, settings: Settings) -> None:
    pages = Pages(languages=("fr", "de"), default_language="fr")
    browser = await open_browser(msgspec.structs.replace(settings, pages=pages))
    for header, tag in (("pl, en", "fr"), ("de", "de")):
        await browser.open("/login", headers={"Accept-Language": header})
        assert tag_of(browser) == tag
    assert "English" not in browser.page


async def test_one_language_needs_no_menu(open_browser: OpenBrowser, settings: Settings) -> None:
    pages = Pages(languages=("de",), default_language="de")
    browser = await open_browser(msgspec.structs.replace(settings, pages=pages))
    await browser.open("/login", headers={"Accept-Language": "en"})
    assert tag_of(browser) == "de"
    assert "<nav" not in browser.page


async def test_the_default_title_is_translated_and_another_is_not(
    open_browser: OpenBrowser, settings: Settings
) -> None:
    both = {"en": "My devices", "de": "Meine Geräte"}
    for title, shown in (
        ("Connect a device", "Gerät verbinden"),
        ("My TV", "My TV"),
        (both, both["de"]),
    ):
        pages = Pages(title=title)
        browser = await open_browser(msgspec.structs.replace(settings, pages=pages))
        await browser.open("/login", headers={"Accept-Language": "de"})
        assert f"<title>Anmelden · {shown}</title>" in browser.page


# Pages that are no person's form


async def test_errors_are_in_the_language_too(browser: Browser) -> None:
    german = {"Accept-Language": "de"}
    for path, title in (
        ("/nowhere", "Diese Seite gibt es nicht"),
        ("/broken", "Bei uns ist etwas"),
    ):
        await browser.open(path, headers=german)
        assert tag_of(browser) == "de"
        assert title in browser.text
    await browser.post("/login", json={}, headers=german)
    assert tag_of(browser) == "de"


async def test_a_request_leaves_no_language_behind(
    browser: Browser, make_app: MakeApp, settings: Settings
) -> None:
    await browser.open("/login", headers={"Accept-Language": "de"})
    await browser.open("/login")
    assert tag_of(browser) == "en"
    make_app(settings)
    assert language().tag == "en"


def test_texts_are_read_once(settings: Settings) -> None:
    """A second reading costs no disk."""
    first, second = read_languages(settings), read_languages(settings)
    assert first.offered["de"] is second.offered["de"]


# A link in a language that the person does not read


async def test_the_caution_is_repeated_in_the_language_of_the_browser(
    ada: Browser, store: Store
) -> None:
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    page = f"/device/confirm?user_code={SHOWN}"
    caution = "If somebody sent you this code, choose Deny."
    await ada.open(f"{page}&ui_locales=pl", headers={"Accept-Language": "en-GB"})
    assert tag_of(ada) == "pl"
    assert caution in ada.text
    assert re.search(r'role="note" lang="en" dir="ltr"><strong>Is the device in front', ada.page)
    for header in ("pl", "sv", "", "*", "en, pl;q=0.1"):
        await ada.open(f"{page}&ui_locales=pl", headers={"Accept-Language": header})
        assert caution not in ada.text, header
