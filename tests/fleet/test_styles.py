"""How devices poll, and the weights of the command line."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deviceflow.fleet.styles import SHORTEST_PAUSE_S, STYLES, read_weights, style_of

CHANCE = random.Random(1)  # noqa: S311


def test_weights_become_fractions() -> None:
    assert read_weights(["obedient=3", "held=1"]) == {"obedient": 0.75, "held": 0.25}
    assert read_weights([]) == {"obedient": 1.0}
    assert read_weights(["held", "buggy=0"]) == {"held": 1.0}


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("polite=1", "no style is called polite; there are obedient"),
        ("held=much", "no number: much"),
        ("held=-1", "below zero"),
        ("held=inf", "without end"),
        ("held=nan", "below zero or without end"),
        ("held=0", "the weights of all styles are zero"),
    ],
)
def test_wrong_weights(word: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_weights([word])


def test_devices_have_the_styles_in_their_fractions() -> None:
    fractions = read_weights(["obedient=7", "held=2", "buggy=1"])
    names = [style_of(number, fractions).name for number in range(1000)]
    for name, fraction in fractions.items():
        assert names.count(name) == pytest.approx(1000 * fraction, abs=5)


@given(st.sampled_from(sorted(STYLES)), st.floats(SHORTEST_PAUSE_S, 100), st.floats(0, 60))
def test_no_style_polls_without_a_pause(name: str, due: float, interval: float) -> None:
    assert STYLES[name].pause(due, interval, CHANCE) >= SHORTEST_PAUSE_S
