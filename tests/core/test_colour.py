"""Colours that can be read."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deviceflow.core.colour import (
    DARK_GROUND,
    LIGHT_GROUND,
    MIN_CONTRAST,
    contrast,
    mixed,
    readable_on,
)
from tests.stage.checkout import TEMPLATES

colours = st.from_regex(r"\A#[0-9a-f]{6}\Z")


@pytest.mark.parametrize(
    ("first", "second", "ratio"),
    [
        ("#000000", "#ffffff", 21.0),
        ("#ffffff", "#FFFFFF", 1.0),
        ("#777777", "#ffffff", 4.48),
        ("#767676", "#ffffff", 4.54),
        ("#0000ff", "#ffffff", 8.59),
    ],
)
def test_the_contrast_is_that_of_wcag(first: str, second: str, ratio: float) -> None:
    assert contrast(first, second) == pytest.approx(ratio, abs=0.01)
    assert contrast(second, first) == contrast(first, second)


def test_a_mixture() -> None:
    assert mixed("#000000", "#ffffff", 0.5) == "#808080"
    assert mixed("#2f4fd0", "#ffffff", 0) == "#2f4fd0"
    assert mixed("#2f4fd0", "#00ff00", 1) == "#00ff00"


@given(colours, st.sampled_from([LIGHT_GROUND, DARK_GROUND]))
def test_every_colour_has_a_shade_that_can_be_read(colour: str, ground: str) -> None:
    shade = readable_on(colour, ground)
    assert contrast(shade, ground) >= MIN_CONTRAST
    if contrast(colour, ground) >= MIN_CONTRAST:
        assert shade == colour


def test_the_grounds_are_those_of_the_pages() -> None:
    """Links stand on the ground of the page and on the card."""
    style = (TEMPLATES / "static" / "style.css").read_text("utf-8")
    light, dark = style.split("@media (prefers-color-scheme: dark)")[:2]
    for text, worst, is_worse in ((light, LIGHT_GROUND, min), (dark, DARK_GROUND, max)):
        grounds = [
            re.search(rf"--{name}: (#\w+);", text)[1]  # type: ignore[index]
            for name in ("ground", "surface", "sunken")
        ]
        assert is_worse(grounds, key=lambda each: contrast(each, "#000000")) == worst
