"""User codes: made, shown, typed and read (RFC 8628 5.1, 6.1)."""

# ruff: noqa: RUF001 - people type characters that look like others

import itertools
import math
import random
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deviceflow.core.user_code import (
    GROWTH_BITS,
    HITS_PER_DAY,
    LETTERS,
    NUMERIC,
    WRONG_CODES_PER_DAY,
    UserCodeFormat,
    display,
    generate,
    length_for,
    normalise,
)

ALPHANUMERIC = "".join(chr(c) for c in (*range(48, 58), *range(65, 91)))

alphabets = st.sampled_from([LETTERS, NUMERIC, ALPHANUMERIC, "ACDEFGHJKLMNPQRTUVWXY3479"])
formats = st.builds(
    UserCodeFormat,
    alphabet=alphabets,
    length=st.integers(5, 12),
    group=st.integers(0, 6),
)
SEPARATORS = ["", "-", " ", " - ", "\N{EN DASH}", ".", "_", "\N{NO-BREAK SPACE}", "\t"]


@st.composite
def typed_codes(draw: st.DrawFn) -> tuple[UserCodeFormat, str, str]:
    """Draw a format, a code in it, and a way in which a person may type the code."""
    form = draw(formats)
    code = draw(st.text(form.alphabet, min_size=form.length, max_size=form.length))
    typed = draw(st.sampled_from(SEPARATORS))
    for character in display(code, form.group):
        typed += draw(st.sampled_from([character, character.lower(), _wide(character)]))
        typed += draw(st.sampled_from(SEPARATORS))
    return form, code, typed


@given(formats, st.integers(1, 16), st.randoms(use_true_random=False))
def test_a_code_has_only_characters_of_its_alphabet(
    form: UserCodeFormat, length: int, chance: random.Random
) -> None:
    code = generate(form, length, chance.randrange)
    assert len(code) == length
    assert set(code) <= set(form.alphabet)


@pytest.mark.parametrize(("alphabet", "length"), [(LETTERS, 3), ("BCDF", 4), (NUMERIC, 1)])
def test_every_code_is_drawn_alike(alphabet: str, length: int) -> None:
    """8628-5.1-a: the code has the entropy that its length promises."""
    form, number = UserCodeFormat(alphabet=alphabet), len(alphabet) ** length
    draws = iter(range(number))

    def draw(below: int) -> int:
        assert below == number
        return next(draws)

    codes = {generate(form, length, draw) for _ in range(number)}
    assert codes == {"".join(code) for code in itertools.product(alphabet, repeat=length)}


@given(typed_codes())
def test_however_it_is_typed_it_is_read(typed: tuple[UserCodeFormat, str, str]) -> None:
    """8628-6.1-a: case, width, spaces and punctuation do not matter."""
    form, code, text = typed
    assert normalise(text, form.alphabet) == code


@pytest.mark.parametrize("typed", ["wdjb mjht", "WDJB-MJHT", "wdjbmjht", " Wd.jB - mJ/ht "])
def test_the_rfc_s_example(typed: str) -> None:
    """8628-6.1-a."""
    assert normalise(typed, LETTERS) == "WDJBMJHT"


@pytest.mark.parametrize(
    ("typed", "alphabet", "read"),
    [
        ("8CDF-GHJK", LETTERS, "BCDFGHJK"),
        ("BCDF-6HJK", LETTERS, "BCDFGHJK"),
        ("5TVW-XZ2Z", LETTERS, "STVWXZZZ"),
        ("UUVV-XZBB", LETTERS, "VVVVXZBB"),
        ("O1l2-I5bS", NUMERIC, "01121585"),
        ("QDZG-0000", NUMERIC, "00260000"),
    ],
)
def test_a_look_alike_is_read_as_what_the_alphabet_has(
    typed: str, alphabet: str, read: str
) -> None:
    """8628-6.1-a."""
    assert normalise(typed, alphabet) == read


@pytest.mark.parametrize(
    ("typed", "alphabet", "read"),
    [
        ("０１２ー３４５", NUMERIC, "012345"),
        ("٠١٢٣ ٤٥٦٧٨٩", NUMERIC, "0123456789"),
        ("۰۱۲۳۴۵۶۷۸۹", NUMERIC, "0123456789"),
        ("०१२-३४५", NUMERIC, "012345"),
        ("ＷＤＪＢ－ｍｊｈｔ", LETTERS, "WDJBMJHT"),
        ("ВСНК-мртх", LETTERS, "BCHKMPTX"),
        ("ΒΖΗΚ-ΜΝΡΧ", LETTERS, "BZHKMNPX"),
        ("WDJB\u200f\u200e-\u2067MJHT\u2069", LETTERS, "WDJBMJHT"),
    ],
)
def test_a_keyboard_for_another_script(typed: str, alphabet: str, read: str) -> None:
    """8628-6.1-a: full-width, Arabic-Indic, extended and Devanagari digits; shapes; direction."""
    assert normalise(typed, alphabet) == read


@given(st.text(NUMERIC, min_size=1, max_size=32), st.data())
def test_a_digit_of_any_script_is_that_digit(code: str, data: st.DataObject) -> None:
    zeros = data.draw(st.sampled_from("0٠۰०০௦๐０"))
    typed = "".join(chr(ord(zeros) + int(digit)) for digit in code)
    assert normalise(typed, NUMERIC) == code


@pytest.mark.parametrize("typed", ["1CDF-GHJK", "0CDF-GHJK", "ICDF-GHJK", "OCDF-GHJK"])
def test_a_character_that_may_be_two_is_no_reading(typed: str) -> None:
    """J and L look like 1, D and Q look like 0: a guess could be the wrong code."""
    assert normalise(typed, LETTERS) is None


@pytest.mark.parametrize("typed", ["", " ", "--", "ACDF-GHJK", "BCDF-GHJ?A", "Ж", "٣", "<i>", "é"])
def test_what_cannot_be_a_code_is_none(typed: str) -> None:
    assert normalise(typed, LETTERS) is None


@given(st.text(), alphabets)
def test_whatever_is_typed_the_result_is_a_code_or_none(text: str, alphabet: str) -> None:
    code = normalise(text, alphabet)
    assert code is None or (code and set(code) <= set(alphabet))


@given(st.text(LETTERS, max_size=32), st.integers(1, 8))
def test_display_only_adds_dashes(code: str, group: int) -> None:
    assert display(code, group).replace("-", "") == code
    assert display(code, 0) == code


@given(st.integers(6, 32), st.integers(2, 8))
def test_groups_differ_by_one_at_most_and_none_is_a_lone_letter(length: int, group: int) -> None:
    sizes = [len(part) for part in display("B" * length, group).split("-")]
    assert sizes == sorted(sizes, reverse=True)
    assert max(sizes) - min(sizes) <= 1
    assert 2 <= min(sizes) <= max(sizes) <= group + 1


@pytest.mark.parametrize(
    ("length", "group", "sizes"),
    [
        (6, 3, "3-3"),
        (7, 4, "4-3"),
        (8, 4, "4-4"),
        (9, 4, "3-3-3"),
        (10, 4, "5-5"),
        (11, 4, "4-4-3"),
        (12, 4, "4-4-4"),
        (13, 4, "5-4-4"),
        (9, 3, "3-3-3"),
        (10, 3, "4-3-3"),
        (11, 3, "3-3-3-2"),
        (12, 3, "3-3-3-3"),
        (15, 3, "3-3-3-3-3"),
        (8, 8, "8"),
        (8, 1, "1-1-1-1-1-1-1-1"),
    ],
)
def test_groups_that_are_easy_to_read(length: int, group: int, sizes: str) -> None:
    parts = display("B" * length, group).split("-")
    assert "-".join(str(len(part)) for part in parts) == sizes


@given(formats, st.lists(st.integers(0, 10**9), min_size=2), st.floats(0, 1e9))
def test_the_length_grows_with_the_fleet(
    form: UserCodeFormat, fleets: list[int], wrong: float
) -> None:
    lengths = [length_for(form, live, wrong) for live in sorted(fleets)]
    assert lengths == sorted(lengths)
    assert all(form.length <= length <= form.longest for length in lengths)


@given(formats, st.integers(1, 10**6), st.lists(st.floats(0, 1e9), min_size=2))
def test_the_length_grows_with_the_wrong_codes(
    form: UserCodeFormat, live: int, wrong: list[float]
) -> None:
    lengths = [length_for(form, live, each) for each in sorted(wrong)]
    assert lengths == sorted(lengths)


@given(formats, st.integers(1, 10**9), st.floats(0, 1e9))
def test_a_code_is_as_strong_as_needed_or_as_strong_as_chosen(
    form: UserCodeFormat, live: int, wrong: float
) -> None:
    """8628-5.1-a: the chance of a day, or with a shorter code that of a single grant."""
    length = length_for(form, live, wrong)
    guesses = max(WRONG_CODES_PER_DAY, wrong)
    chosen = WRONG_CODES_PER_DAY / len(form.alphabet) ** form.length
    chance = guesses * live / len(form.alphabet) ** length
    assert length == form.longest or chance <= max(HITS_PER_DAY, chosen) * (1 + 1e-6)


@pytest.mark.parametrize("live", [10**3, 10**4, 10**5, 10**6])
@pytest.mark.parametrize("wrong", [0, WRONG_CODES_PER_DAY, 10 * WRONG_CODES_PER_DAY])
@pytest.mark.parametrize(
    "form", [UserCodeFormat(), UserCodeFormat(alphabet=NUMERIC, length=9, group=3)]
)
def test_of_a_fleet_less_than_one_code_in_a_thousand_days_is_hit(
    form: UserCodeFormat, wrong: int, live: int
) -> None:
    """8628-5.1-a, with the true chance of a day, not its bound."""
    one = live / len(form.alphabet) ** length_for(form, live, wrong)
    chance = -math.expm1(max(WRONG_CODES_PER_DAY, wrong) * math.log1p(-one))
    assert chance < 1 / 1_000


def test_the_table_in_the_documentation() -> None:
    """8628-5.1-a: its rows are computed, and none of them is above 1 in 1,000 in a day."""
    text = (Path(__file__).parents[2] / "docs" / "security.md").read_text(encoding="utf-8")
    rows = [
        [int(cell.replace(",", "")) for cell in line.strip("| ").split(" | ")]
        for line in text.split("| codes that wait |")[1].partition("\n\n")[0].splitlines()[2:]
    ]
    assert {(10**3, 144_000), (10**6, 144_000)} <= {(live, wrong) for live, wrong, *_ in rows}
    formats = (UserCodeFormat(), UserCodeFormat(alphabet=NUMERIC, length=9))
    for live, wrong, *cells in rows:
        computed = []
        for form in formats:
            length = length_for(form, live, wrong)
            computed += [length, round(len(form.alphabet) ** length / (live * wrong))]
        assert cells == computed
        assert min(cells[1::2]) > 1_000


def test_every_alphabet_has_room_to_grow() -> None:
    """Four characters more were enough for letters, and far too few for digits."""
    for alphabet in (LETTERS, NUMERIC, ALPHANUMERIC):
        form = UserCodeFormat(alphabet=alphabet, length=9)
        assert (form.longest - form.length) * math.log2(len(alphabet)) >= GROWTH_BITS


@pytest.mark.parametrize(
    ("live", "letters", "digits"),
    [
        (0, 8, 9),
        (1, 8, 9),
        (6, 8, 9),
        (7, 8, 10),
        (100, 8, 11),
        (177, 8, 11),
        (178, 9, 11),
        (1_000, 9, 12),
        (10_000, 10, 13),
        (100_000, 11, 14),
        (1_000_000, 11, 15),
        (10_000_000, 12, 16),
    ],
)
def test_lengths_in_figures(live: int, letters: int, digits: int) -> None:
    """8628-5.1-a. Below 100 grants that wait, the default code keeps 8 letters."""
    assert length_for(UserCodeFormat(), live) == letters
    assert length_for(UserCodeFormat(alphabet=NUMERIC, length=9), live) == digits


def _wide(character: str) -> str:
    """Write full-width characters, as East Asian keyboards do."""
    wide = chr(ord(character) + 0xFEE0) if "!" <= character <= "~" else character
    return wide if unicodedata.normalize("NFKC", wide) == character else character
