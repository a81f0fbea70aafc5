"""Axes: they have room for all values, and few round marks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deviceflow.fleet.report.scale import Scale, time_ticks

VALUES = st.lists(st.floats(min_value=1e-6, max_value=1e9), min_size=1, max_size=5)


@given(VALUES, st.booleans())
def test_every_value_is_on_the_axis(values: list[float], is_log: bool) -> None:  # noqa: FBT001
    scale = Scale.logarithmic(values) if is_log else Scale.linear(values)
    assert all(-1e-6 <= scale.place(value) <= 1 + 1e-6 for value in values)
    places = [scale.place(tick) for tick in scale.ticks()]
    assert 2 <= len(places) <= 7
    assert places == sorted(places)
    assert all(-1e-6 <= place <= 1 + 1e-6 for place in places)


@pytest.mark.parametrize(
    ("highest", "ticks"),
    [
        (0.0, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (4_200, [0, 1_000, 2_000, 3_000, 4_000, 5_000]),
        (20_000, [0, 5_000, 10_000, 15_000, 20_000]),
        (0.68, [0, 0.2, 0.4, 0.6, 0.8]),
    ],
)
def test_linear_marks_are_round(highest: float, ticks: list[float]) -> None:
    assert Scale.linear([highest]).ticks() == pytest.approx(ticks)


def test_decades_when_there_are_many() -> None:
    assert Scale.logarithmic([1.3, 2_500]).ticks() == pytest.approx([1, 10, 100, 1_000, 10_000])
    assert Scale.logarithmic([2.4, 9]).ticks() == pytest.approx([1, 2, 5, 10])
    assert Scale.logarithmic([]).ticks() == pytest.approx([1, 2, 5, 10])


def test_times_are_those_of_a_clock() -> None:
    assert time_ticks(10) == [0, 2, 4, 6, 8, 10]
    assert time_ticks(120) == [0, 30, 60, 90, 120]
    assert time_ticks(3_600) == [0, 600, 1_200, 1_800, 2_400, 3_000, 3_600]
