"""Which of the offered languages a person reads best."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deviceflow.core.languages import MOST_RANGES, accepted, is_accepted, listed, lookup

OFFERED = ("ar", "de", "en", "pt", "zh-Hans")
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
subtags = st.text(LETTERS + "0123456789", min_size=1, max_size=8)
tags = st.builds(
    lambda first, rest: "-".join([first, *rest]),
    st.text(LETTERS, min_size=2, max_size=8),  # one letter alone is no language (RFC 5646 2.1)
    st.lists(subtags, max_size=3),
)
weights = st.integers(1, 1000).map(lambda number: f"{number / 1000:.3f}")
offers = st.lists(tags, min_size=1, max_size=8, unique_by=str.lower)


@pytest.mark.parametrize(
    ("ranges", "tag"),
    [
        (["de"], "de"),
        (["DE-at"], "de"),
        (["zh-Hant-TW", "de"], "zh-Hans"),
        (["zh-CN"], "zh-Hans"),
        (["zh-hans-CN-x-private"], "zh-Hans"),
        (["de-x-a-b"], "de"),
        (["sv", "pt-PT"], "pt"),
        (["sv", "fi"], None),
        (["d", "den", ""], None),
        ([], None),
    ],
)
def test_lookup(ranges: list[str], tag: str | None) -> None:
    """RFC 4647 3.4."""
    assert lookup(ranges, OFFERED) == tag


@pytest.mark.parametrize(
    ("header", "tag"),
    [
        ("de", "de"),
        ("de-CH, en;q=0.9", "de"),
        ("sv, en;q=0.5, de;q=0.8", "de"),
        ("en;q=0.5,de;q=0.5", "en"),
        ("de;q=0, en;q=0.1", "en"),
        ("de;q=0", None),
        ("de;q=0.000, sv", None),
        ("*", "en"),
        ("sv, *;q=0.1", "en"),
        ("en;q=0, *", "ar"),
        ("*;q=0", None),
        ("de;q=2, pt", "pt"),
        ("de;q=-1, pt", "pt"),
        ("de;q=0.1234, pt;q=0.1", "pt"),
        ("de;level=1, pt;q=0.1", "pt"),
        ("<script>, de\x00, ;, ;q=1, pt", "pt"),
        ("\tde ; q=0.3 , pt;q=0.2", "de"),
        ("", None),
        (",,,", None),
    ],
)
def test_accept_language(header: str, tag: str | None) -> None:
    """RFC 9110 12.5.4, 12.4.2."""
    assert accepted(header, OFFERED, "en") == tag


@given(st.text(max_size=300), st.sampled_from(OFFERED))
def test_any_header_finds_an_offered_language_or_none(header: str, default: str) -> None:
    assert accepted(header, OFFERED, default) in {*OFFERED, None}
    assert lookup(listed(header), OFFERED) in {*OFFERED, None}


@given(st.lists(st.tuples(st.sampled_from(OFFERED), weights), min_size=1, max_size=10))
def test_the_greatest_weight_wins_and_the_first_of_equals(pairs: list[tuple[str, str]]) -> None:
    header = ", ".join(f"{tag};q={weight}" for tag, weight in pairs)
    greatest = max(float(weight) for _, weight in pairs)
    first = next(tag for tag, weight in pairs if float(weight) == greatest)
    assert accepted(header, OFFERED, "en") == first


@given(offers, st.data())
def test_each_offered_language_is_found_by_its_own_tag(
    offered: list[str], data: st.DataObject
) -> None:
    tag = data.draw(st.sampled_from(offered))
    assert lookup([tag.swapcase()], offered) == tag
    assert accepted(tag, offered, offered[0]) == tag


@given(offers, st.lists(tags, max_size=5))
def test_what_is_found_is_of_the_language_that_was_asked_for(
    offered: list[str], ranges: list[str]
) -> None:
    found = lookup(ranges, offered)
    bases = {each.lower().split("-")[0] for each in ranges}
    if found is None:
        assert not bases & {tag.lower() for tag in offered}
    else:
        assert found.lower().split("-")[0] in bases


@given(offers, st.data())
def test_a_language_with_weight_0_is_never_chosen(offered: list[str], data: st.DataObject) -> None:
    """RFC 9110 12.4.2: it is not acceptable."""
    refused = data.draw(st.sampled_from(offered))
    others = data.draw(st.lists(tags | st.just("*"), max_size=4))
    header = ", ".join([*others, f"{refused};q=0"])
    assert accepted(header, offered, offered[0]) != refused


def test_a_list_of_locales() -> None:
    """OpenID Connect Core 3.1.2.1: ranges with spaces between them."""
    assert listed("fr-CA fr  en") == ["fr-CA", "fr", "en"]
    assert listed('* de" de;q=1 de,en <b> ../de pl') == ["pl"]
    assert listed("") == []
    assert len(listed("de " * 1_000)) == MOST_RANGES


@pytest.mark.parametrize(
    ("header", "answer"),
    [
        ("zh-CN", True),
        ("de, zh;q=0.1", True),
        ("de, zh-Hans;q=0", False),
        ("*", False),
        ("", False),
    ],
)
def test_whether_a_browser_names_a_language(header: str, answer: bool) -> None:  # noqa: FBT001
    assert is_accepted(header, "zh-Hans") is answer
