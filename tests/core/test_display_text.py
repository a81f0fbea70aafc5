"""Text that strangers write: what it may hold, and which two texts people take for the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deviceflow.core.display_text import (
    comparison_key,
    is_display_text,
    normal_form,
    repaired,
)

GOOD = ["T", "Living-room TV", "Fernseher im B\u00fcro", "\u30c6\u30ec\u30d3", "\u2764", "x" * 100]
BAD = {
    "nothing": "",
    "too long": "x" * 101,
    "a space before it": " TV",
    "a no-break space after it": "TV\u00a0",
    "a control character": "T\x07V",
    "a C1 control character": "T\x85V",
    "right-to-left override": "\u202eVT",
    "an isolate": "\u2066TV",
    "a zero-width space": "T\u200bV",
    "only a zero-width joiner": "\u200d",
    "a soft hyphen": "T\u00adV",
    "a tag character": "T\U000e0041V",
    "a line separator": "T\u2028V",
    "a paragraph separator": "T\u2029V",
    "only marks": "\u0301\u0301",
    "only a Hangul filler": "\u3164",
    "only an empty Braille pattern": "\u2800",
    "a surrogate": "T\ud800",
}


@pytest.mark.parametrize("text", GOOD)
def test_text_that_can_be_shown(text: str) -> None:
    assert is_display_text(text)
    assert repaired(text) == text


@pytest.mark.parametrize("why", BAD)
def test_text_that_cannot(why: str) -> None:
    assert not is_display_text(BAD[why])


@pytest.mark.parametrize("why", sorted(set(BAD) - {"too long"}))
def test_old_text_is_shown_without_what_is_refused(why: str) -> None:
    assert repaired(BAD[why]) in {"", "T", "TV", "VT"}


def test_the_normal_form() -> None:
    assert normal_form("Bu\u0308ro") == repaired("Bu\u0308ro") == "B\u00fcro"


@pytest.mark.parametrize(
    "twin",
    [
        "LIVING ROOM TV ",
        "\uff2civing\u2009room\u3000tv",
        "Livingro\u0301om TV",
        "Living\u3164 room TV",
        "Living \u200broom TV",
    ],
)
def test_twins(twin: str) -> None:
    assert comparison_key(twin) == comparison_key("Living room TV")


@pytest.mark.parametrize("dash", "\u2010\u2011\u2012\u2013\u2014\u2212\ufe63\uff0d")
def test_dashes_look_alike(dash: str) -> None:
    assert comparison_key(f"Living{dash}room TV") == comparison_key("Living-room TV")


@pytest.mark.parametrize("mark", "\u02bc\u2018\u2019\u2032\uff07")
def test_apostrophes_look_alike(mark: str) -> None:
    assert comparison_key(f"Ada{mark}s TV") == comparison_key("Ada's TV")


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_ascii_is_folded_as_its_wide_form(text: str) -> None:
    """The short way for ASCII and the way for everything else have the same end."""
    wide = "".join(chr(ord(each) + 0xFEE0) if each != " " else "\u3000" for each in text)
    assert comparison_key(text) == comparison_key(wide)


@pytest.mark.parametrize("other", ["Living room TV 2", "Bedroom TV"])
def test_other_names(other: str) -> None:
    assert comparison_key(other) != comparison_key("Living room TV")
