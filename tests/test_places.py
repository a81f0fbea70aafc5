"""Places of addresses, from a file."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from deviceflow.places import Place, Places, PlacesError, open_places
from tests.stage.places import PLACES, write_places


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Places]:
    with closing(open_places(write_places(tmp_path / "places.mmdb"))) as places:
        yield places


def find(path: str, address: str = "203.0.113.7") -> Place | None:
    with closing(open_places(path)) as places:
        return places.find(address)


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("203.0.113.7", Place("Berlin", "Germany", "DE")),
        ("203.0.113.200", Place("", "Germany", "DE")),
        ("2001:db8::1", Place("Wien", "Austria", "AT")),
        ("192.0.2.1", Place("", "Singapore", "SG")),
        ("192.0.2.200", None),
        ("8.8.8.8", None),
        ("192.168.1.4", None),
        ("127.0.0.1", None),
        ("", None),
        ("unix", None),
    ],
)
def test_an_address(places: Places, address: str, place: Place | None) -> None:
    assert places.find(address) == place


def test_a_name_in_another_language(places: Places) -> None:
    """As far as the file has one."""
    assert places.find("203.0.113.7", "de") == Place("Berlin", "Germany (de)", "DE")


def test_a_name_in_a_variety_of_the_language(tmp_path: Path) -> None:
    """As GeoIP2 has them, "pt-BR" and "zh-CN", for pages in "pt" and "zh-Hans"."""
    names = {"en": "Brazil", "pt-BR": "Brasil", "zh-CN": "巴西"}
    record = {"country": {"iso_code": "BR", "names": names}}
    path = write_places(tmp_path / "places.mmdb", places={"203.0.113.0/24": record})
    with closing(open_places(path)) as places:
        found = [places.find("203.0.113.7", tag) for tag in ("pt", "zh-Hans", "de")]
    assert [place and place.country for place in found] == ["Brasil", "巴西", "Brazil"]


def test_without_a_file_nothing_is_known() -> None:
    places = open_places(None)
    assert not places.are_known
    assert places.find("203.0.113.7") is None


def test_a_file_that_is_replaced_stays_open(tmp_path: Path) -> None:
    """As its updater does it: by a rename. A reload opens the new one."""
    path = write_places(tmp_path / "places.mmdb")
    with closing(open_places(path)) as places:
        write_places(tmp_path / "new.mmdb", places={"203.0.113.0/24": PLACES["198.51.100.0/24"]})
        (tmp_path / "new.mmdb").rename(path)
        assert places.find("203.0.113.7") == Place("Berlin", "Germany", "DE")
    assert find(path) == Place("Paris", "France", "FR")


def test_a_file_that_is_overwritten_makes_places_unknown(tmp_path: Path) -> None:
    path = write_places(tmp_path / "places.mmdb")
    size = Path(path).stat().st_size
    for content in (b"", b"\xff" * size, b"\x00" * size):
        write_places(Path(path))
        with closing(open_places(path)) as places:
            Path(path).write_bytes(content)
            assert places.find("203.0.113.7") is None


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(PlacesError, match="cannot be read: No such file or directory; expected"):
        open_places(str(tmp_path / "none.mmdb"))


@pytest.mark.parametrize("content", [b"", b"text", b"\xab\xcd\xefMaxMind.com", b"\x00" * 4096])
def test_a_file_of_another_form(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "places.mmdb").write_bytes(content)
    with pytest.raises(PlacesError, match="not an MMDB file"):
        open_places(str(tmp_path / "places.mmdb"))


def test_a_file_about_something_else(tmp_path: Path) -> None:
    path = write_places(tmp_path / "asn.mmdb", "GeoLite2-ASN")
    with pytest.raises(PlacesError, match='of the type "GeoLite2-ASN"; expected one of cities'):
        open_places(path)


@pytest.mark.parametrize(
    "record",
    [
        {"country": "DE"},
        {"country": {"iso_code": 49}},
        {"country": {"names": {"en": "Germany"}}},
        {"city": {"names": {"en": "Berlin"}}},
    ],
)
def test_a_record_of_another_form(tmp_path: Path, record: dict[str, object]) -> None:
    path = write_places(tmp_path / "places.mmdb", places={"203.0.113.0/24": record})
    assert find(path) is None


def test_a_country_without_a_name(tmp_path: Path) -> None:
    record = {"country": {"iso_code": "DE"}, "city": {"names": []}}
    path = write_places(tmp_path / "places.mmdb", places={"203.0.113.0/24": record})
    assert find(path) == Place("", "DE", "DE")
