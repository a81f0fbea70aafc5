"""User codes: what a person may type, and how a code is written again."""

import pytest

from deviceflow.core.client import Client, Clients
from deviceflow.core.user_code import NUMERIC, UserCodeFormat
from deviceflow.pages.codes import Codes

DIGITS = UserCodeFormat(alphabet=NUMERIC, length=9, group=3)
RADIO = Client(client_id="radio", name="Radio", user_code=DIGITS)
TV = Client(client_id="tv", name="TV")


def codes(*clients: Client) -> Codes:
    return Codes(UserCodeFormat(), Clients(clients))


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("wdjb mjht", ["WDJBMJHT"]),
        ("019-450-730", ["019450730"]),
        ("o19 450 73O", ["019450730"]),
        ("W" * 15, []),
        ("", []),
        ("€uro", []),
    ],
)
def test_a_code_is_read_in_the_format_of_any_client(text: str, read: list[str]) -> None:
    assert codes(RADIO).read(text) == read


def test_what_was_typed_comes_before_what_looks_like_it() -> None:
    """`5S` and the like: a letter may stand for a digit, but hardly does if both are possible."""
    mixed = UserCodeFormat(alphabet="5BCDFGHJK", length=4, group=0)
    client = Client(client_id="mixed", name="Mixed", user_code=mixed)
    letters = UserCodeFormat(alphabet="SBCDFGHJK", length=4, group=0)
    both = Codes(letters, Clients((client,)))
    assert both.read("5BCD") == ["5BCD", "SBCD"]
    assert both.read("SBCD") == ["SBCD", "5BCD"]


@pytest.mark.parametrize("text", ["wdjb_mjht", "WDJBMJHT", "WDJB-MJHT"])
def test_a_code_is_carried_in_one_form(text: str) -> None:
    assert codes().carry(text) == "WDJB-MJHT"


@pytest.mark.parametrize("text", ["", "//evil.example", "https://evil.example/", "\r\nX: 1"])
def test_what_is_no_code_is_not_carried(text: str) -> None:
    """RFC 9700 4.11.2."""
    assert codes().carry(text) == ""


def test_a_code_is_shown_as_its_device_shows_it() -> None:
    assert codes(RADIO).show("019450730", RADIO) == "019-450-730"
    assert codes(RADIO).show("WDJBMJHT", TV) == "WDJB-MJHT"


def test_a_number_pad_is_enough_only_if_all_codes_are_digits() -> None:
    assert not codes(RADIO).is_numeric
    assert Codes(DIGITS, Clients((RADIO, TV))).is_numeric


def test_an_example_has_the_format_of_the_server() -> None:
    assert codes().carry(codes().example) == codes().example
    assert len(Codes(DIGITS, Clients(())).example) == len("019-450-730")


def test_clients_that_change_bring_their_formats() -> None:
    clients = Clients((TV,))
    known = Codes(UserCodeFormat(), clients)
    assert known.read("019450730") == []
    clients.adopt([RADIO])
    assert known.read("019450730") == ["019450730"]
