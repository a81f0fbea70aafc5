"""User codes: made, shown, typed and read (RFC 8628 5.1, 6.1)."""

import itertools
import math
import random
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deviceflow.core.user_code import (
    LETTERS,
    MAX_GROWTH,
    NUMERIC,
    SAFETY_BITS,
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


def test_every_character_is_drawn_alike() -> None:
    """8628-5.1-a: the code has the entropy that its length promises."""
    draws = itertools.count()
    form = UserCodeFormat()
    code = generate(form, 20 * len(LETTERS), lambda below: next(draws) % below)
    assert {code.count(letter) for letter in LETTERS} == {20}


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
def test_display_groups_from_the_left(code: str, group: int) -> None:
    shown = display(code, group)
    assert shown.replace("-", "") == code
    groups = shown.split("-") if shown else []
    assert all(len(part) == group for part in groups[:-1])
    assert display(code, 0) == code


@given(formats, st.lists(st.integers(0, 10**9), min_size=2), st.integers(1, 100))
def test_the_length_grows_with_the_fleet(
    form: UserCodeFormat, fleets: list[int], guesses: int
) -> None:
    lengths = [length_for(form, live, guesses) for live in sorted(fleets)]
    assert lengths == sorted(lengths)
    assert all(form.length <= length <= form.length + MAX_GROWTH for length in lengths)


@given(formats, st.integers(1, 10**9), st.integers(1, 100))
def test_a_code_is_as_strong_as_asked_or_as_strong_as_chosen(
    form: UserCodeFormat, live: int, guesses: int
) -> None:
    """8628-5.1-a: 32 bits + log2(live) + log2(guesses), or the chosen length's + log2(live)."""
    length = length_for(form, live, guesses)
    needed = min(SAFETY_BITS + math.log2(guesses), form.bits) + math.log2(live)
    longest = form.length + MAX_GROWTH
    assert length == longest or length * math.log2(len(form.alphabet)) >= needed - 1e-9


@pytest.mark.parametrize(
    ("live", "length"), [(0, 8), (1, 8), (2, 9), (100, 10), (1_000, 11), (100_000, 12), (10**7, 12)]
)
def test_the_default_format_in_figures(live: int, length: int) -> None:
    """8628-5.1-a."""
    assert length_for(UserCodeFormat(), live, 8) == length


def _wide(character: str) -> str:
    """Write full-width characters, as East Asian keyboards do."""
    wide = chr(ord(character) + 0xFEE0) if "!" <= character <= "~" else character
    return wide if unicodedata.normalize("NFKC", wide) == character else character
