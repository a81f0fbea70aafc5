"""Where a device is, beside where the person is."""

from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from deviceflow.config import Pages, Server, Settings
from deviceflow.pages.device.origin import Origin, Origins
from deviceflow.pages.texts import read_language, speaking
from deviceflow.places import Place, Places, open_places
from tests.stage.pages import OpenBrowser, Store
from tests.stage.places import write_places

DEVICE = "2001:db8::1"
BERLIN = Place("Berlin", "Germany", "DE")


async def origin(address: str, visitor: str, server: Server | None = None) -> Origin:
    origins = Origins(server=server or Server(), places=Places())
    return await origins.compare(address, visitor)


@pytest.mark.parametrize(
    ("address", "visitor", "is_near"),
    [
        ("127.0.0.1", "127.0.0.1", None),
        ("192.168.1.4", "192.168.1.4", None),
        ("192.168.1.4", "192.168.1.5", None),
        ("100.64.9.9", "100.64.9.9", None),
        ("fe80::1", "fe80::1", None),
        ("fd00::1", "fd00::2", None),
        ("::1", "::1", None),
        ("203.0.113.80", "203.0.113.80", None),
        ("", "", None),
        ("203.0.113.7", "203.0.113.7", True),
        ("203.0.113.7", "127.0.0.1", False),
        ("192.168.1.4", "203.0.113.7", False),
    ],
)
async def test_a_shared_address_is_nowhere(
    address: str, visitor: str, *, is_near: bool | None
) -> None:
    """A private, loopback or proxy address is a stranger's too: nothing is said of it."""
    server = Server(trusted_proxies=("203.0.113.80/32",))
    assert await origin(address, visitor, server) == Origin(address, is_near, is_within=is_near)


@pytest.mark.parametrize(
    ("address", "is_near"), [("2001:db8::2", True), ("2001:db8:0:1::1", False), ("", None)]
)
async def test_an_address_of_the_same_network_is_near(
    address: str, *, is_near: bool | None
) -> None:
    assert (await origin(DEVICE, address)).is_near is is_near


@pytest.mark.parametrize(
    ("visitor", "other_country"),
    [
        ("203.0.113.7", ""),
        ("203.0.113.9", ""),
        ("203.0.113.200", ""),
        ("198.51.100.1", "France"),
        ("2001:db8::1", "Austria"),
        ("8.8.8.8", ""),
        ("192.168.1.4", ""),
        ("", ""),
    ],
)
async def test_another_country(tmp_path: Path, visitor: str, other_country: str) -> None:
    """Only where both places are known. A person without a place is in no other country."""
    with closing(open_places(write_places(tmp_path / "places.mmdb"))) as places:
        found = await Origins(server=Server(), places=places).compare("203.0.113.7", visitor)
    assert (found.place, found.other_country) == (BERLIN, other_country)


async def test_names_are_in_the_language_of_the_page(tmp_path: Path) -> None:
    with closing(open_places(write_places(tmp_path / "places.mmdb"))) as places:
        origins = Origins(server=Server(), places=places)
        with speaking(read_language("de")):
            found = await origins.compare("203.0.113.7", "198.51.100.1")
    assert found.place is not None
    assert (found.place.country, found.other_country) == ("Germany (de)", "France (de)")


@pytest.mark.parametrize(
    ("address", "words", "question"),
    [
        ("203.0.113.7", "From near Berlin, Germany 203.0.113.7", "It asked from Germany, and you"),
        ("198.51.100.9", "From near Paris, France 198.51.100.9", "It asked from another network"),
        ("8.8.8.8", "From 8.8.8.8", "It asked from another network than yours."),
        ("198.51.100.1", "From near Paris, France 198.51.100.1 the network you are on now", ""),
    ],
)
async def test_the_page_says_where_the_device_is(
    open_browser: OpenBrowser,
    store: Store,
    settings: Settings,
    tmp_path: Path,
    address: str,
    words: str,
    question: str,
) -> None:
    """In amber, with a question, if it is in another network or another country."""
    pages = Pages(geoip_file=write_places(tmp_path / "places.mmdb"))
    server = Server(trusted_proxies=("127.0.0.0/8",))
    ada = await open_browser(msgspec.structs.replace(settings, pages=pages, server=server))
    await ada.sign_in()
    store.grants.add("WDJBMJHT", address=address)
    await ada.enter("WDJBMJHT")
    await ada.open(
        "/device/confirm?user_code=WDJB-MJHT", headers={"X-Forwarded-For": "198.51.100.1"}
    )
    assert words in ada.text
    assert ("elsewhere" in ada.page) == bool(question)
    assert question in ada.text
    if address == "203.0.113.7":
        assert "It asked from Germany, and you seem to be in France." in ada.text
