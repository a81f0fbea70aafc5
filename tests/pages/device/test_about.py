"""What the page says about the client: who makes it, and pages about it."""

import re

import msgspec

from tests.stage.pages import TV, Browser, Store

PAGES = {
    "client_uri": "https://tv.example.com",
    "policy_uri": "https://tv.example.com:8443/privacy?a=1&b=2",
    "tos_uri": "https://legal.example.org/terms",
}
AWAY = 'target="_blank" rel="noopener noreferrer" referrerpolicy="no-referrer"'


async def question(ada: Browser, store: Store, **fields: object) -> None:
    store.clients.adopt([msgspec.structs.replace(TV, **PAGES, **fields)])
    store.grants.add("WDJBMJHT")
    await ada.enter("WDJBMJHT")


async def test_the_publisher_and_the_pages(ada: Browser, store: Store) -> None:
    await question(ada, store, publisher="Example & Sons")
    assert "by Example & Sons" in ada.text
    about = "About it tv.example.com Privacy tv.example.com:8443 Terms legal.example.org"
    assert about in ada.text
    assert "verified" not in ada.text


async def test_no_link_tells_where_it_was_followed(ada: Browser, store: Store) -> None:
    """The address of this page has the code."""
    await question(ada, store)
    links = re.findall(r'<a [^>]*href="https:[^>]*>', ada.page)
    assert len(links) == 3
    assert all(AWAY in link for link in links)
    assert 'href="https://tv.example.com:8443/privacy?a=1&amp;b=2"' in ada.page


async def test_links_that_nobody_has_verified(ada: Browser, store: Store) -> None:
    await question(ada, store, verified=False)
    assert "Nobody has verified these links either: About it tv.example.com" in ada.text
    assert ada.page.count('rel="noopener noreferrer nofollow" referrerpolicy="no-referrer"') == 3


async def test_without_pages(ada: Browser, store: Store) -> None:
    store.grants.add("WDJBMJHT")
    await ada.enter("WDJBMJHT")
    assert "https://" not in ada.page
    assert "About the application" not in ada.text
