"""User codes: what a person may type, and how a code is written again."""

import pytest

from deviceflow.core.client import Client
from deviceflow.core.clients import Clients
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


@pytest.mark.parametrize(
    ("text", "repeated"),
    [
        ("wdjb mjht", "WDJB-MJHT"),
        ("8bbb bbbb", "BBBB-BBBB"),
        ("bcd", "BCD"),
        ("12345", "123-45"),
        ("hunter2", ""),
        ("Tr0ub4dor&3", ""),
        ("wdjb mjht" + " " * 300 + "hunter2", "WDJB-MJHT"),
        ("B" * 64, ""),
        ("call 555 0100", ""),
        ("\u20ac", ""),
        ("", ""),
    ],
)
def test_only_a_code_or_a_piece_of_one_is_repeated(text: str, repeated: str) -> None:
    """A person may have typed a password into the wrong field."""
    assert codes(RADIO).repeat(text) == repeated


@pytest.mark.parametrize(
    ("text", "is_short", "is_long"),
    [
        ("BCDFGHJ", True, False),
        ("BCDF-GHJK", False, False),
        ("\uff22" * 17, False, False),
        ("8" * 18, False, True),
        (" - ", False, False),
        ("", False, False),
    ],
)
def test_the_length_of_what_was_typed(text: str, is_short: bool, is_long: bool) -> None:  # noqa: FBT001
    """Codes have 8 to 14 letters, or 9 to 17 digits."""
    assert codes(RADIO).has_too_few(text) == is_short
    assert codes(RADIO).has_too_many(text) == is_long


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
    assert codes(RADIO).carry(text) == "WDJB-MJHT"


@pytest.mark.parametrize("text", ["519691993", "519-691-993", "5196 9199 3", "519 69l 993"])
def test_a_code_is_carried_in_the_format_that_it_fits(text: str) -> None:
    """The device shows 519-691-993, so no page asks about 5196-9199-3."""
    assert codes(RADIO).carry(text) == "519-691-993"
    assert codes(RADIO).read(text) == ["519691993"]


def test_of_two_formats_that_fit_the_written_one_counts_then_the_nearest_length() -> None:
    four = UserCodeFormat(alphabet=NUMERIC, length=12, group=4)
    three = Client(client_id="three", name="Three", user_code=DIGITS)
    both = Codes(four, Clients((three,)))
    assert both.carry("123-456-789-012") == "123-456-789-012"
    assert both.carry("1234-5678-9012") == "1234-5678-9012"
    assert both.carry("123456789012") == "1234-5678-9012"
    assert both.carry("1234567890") == "1234-567-890"


@pytest.mark.parametrize(
    ("code", "shown"),
    [("WDJBMJHTB", "WDJ-BMJ-HTB"), ("WDJBMJHTBC", "WDJBM-JHTBC"), ("W" * 12, "WWWW-WWWW-WWWW")],
)
def test_a_code_that_has_grown_has_no_lone_letter(code: str, shown: str) -> None:
    assert codes().carry(code) == codes().show(code, TV) == shown


@pytest.mark.parametrize("text", ["", "//evil.example", "https://evil.example/", "\r\nX: 1"])
def test_what_is_no_code_is_not_carried(text: str) -> None:
    """RFC 9700 4.11.2."""
    assert codes().carry(text) == ""


def test_a_code_is_shown_as_its_device_shows_it() -> None:
    assert codes(RADIO).show("019450730", RADIO) == "019-450-730"
    assert codes(RADIO).show("WDJBMJHT", TV) == "WDJB-MJHT"
    assert codes(RADIO).show("019450730", None) == "019-450-730"


def test_a_number_pad_is_enough_only_if_all_codes_are_digits() -> None:
    assert not codes(RADIO).is_numeric
    assert Codes(DIGITS, Clients((RADIO, TV))).is_numeric


def test_an_example_has_the_format_of_the_server() -> None:
    for length in (8, 9, 11):
        example = codes().example(length)
        assert codes().carry(example) == example
        assert len(codes().read(example)[0]) == length
    assert len(Codes(DIGITS, Clients(())).example(9)) == len("019-450-730")


def test_clients_that_change_bring_their_formats() -> None:
    clients = Clients((TV,))
    known = Codes(UserCodeFormat(), clients)
    assert known.read("019450730") == []
    clients.adopt([RADIO])
    assert known.read("019450730") == ["019450730"]
