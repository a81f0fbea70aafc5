"""Where a person goes on: by a word, never by an address."""

import pytest

from deviceflow.core.clients import Clients
from deviceflow.core.user_code import UserCodeFormat
from deviceflow.pages.codes import Codes
from deviceflow.pages.onward import Onward

CODES = Codes(UserCodeFormat(), Clients(()))


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ({}, "/device"),
        ({"next": "confirm"}, "/device/confirm"),
        ({"next": "security"}, "/account/security"),
        ({"next": "//evil.example"}, "/device"),
        ({"next": "/account"}, "/device"),
    ],
)
def test_only_pages_of_the_list(said: dict[str, str], path: str) -> None:
    assert Onward.of(CODES, said).path == path


def test_it_says_itself_again() -> None:
    onward = Onward.of(CODES, {"user_code": "wdjb mjht", "next": "confirm", "again": "x"})
    assert onward == Onward("WDJB-MJHT", "confirm", is_again=True)
    assert Onward.of(CODES, onward.fields) == onward
    assert Onward().fields == {}


def test_the_first_source_that_says_something_counts() -> None:
    onward = Onward.of(CODES, {"user_code": ""}, {"user_code": "WDJBMJHT", "next": "confirm"})
    assert onward == Onward("WDJB-MJHT", "confirm")
