"""Where an address is, in the language of the page."""

from contextlib import closing
from pathlib import Path

import pytest

from deviceflow.pages.texts import read_language, speaking
from deviceflow.pages.whereabouts import about_where
from deviceflow.places import Places, open_places
from tests.stage.places import write_places


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("203.0.113.7", "Umgebung von Berlin, Germany (de)"),
        ("203.0.113.200", "Germany (de)"),
        ("8.8.8.8", ""),
        ("", ""),
    ],
)
async def test_about_where_an_address_is(tmp_path: Path, address: str, text: str) -> None:
    opened = open_places(write_places(tmp_path / "places.mmdb"))
    with closing(opened) as places, speaking(read_language("de")):
        assert await about_where(places, address) == text


async def test_without_a_file_nothing_is_said() -> None:
    assert await about_where(Places(), "203.0.113.7") == ""
