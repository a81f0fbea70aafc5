"""What is wanted of a run: the words, and the verdicts."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deviceflow.fleet.measures import MEASURES
from deviceflow.fleet.objectives import (
    COUNT_UNITS,
    SIGNS,
    TIME_UNITS,
    Wanted,
    default_objectives,
    judge,
    read_objective,
    read_objectives,
)
from tests.stage.fleet import RESULT

VALUES = st.floats(min_value=0, allow_infinity=False, allow_nan=False).map(abs)


@st.composite
def objectives(draw: st.DrawFn) -> Wanted:
    measure = draw(st.sampled_from(MEASURES))
    units = [*TIME_UNITS] if measure.is_time else [*COUNT_UNITS]
    sign, unit = draw(st.sampled_from([*SIGNS])), draw(st.sampled_from(units))
    return Wanted(measure, sign, draw(VALUES), unit)


@given(objectives())
def test_the_words_of_an_objective_are_read_again(wanted: Wanted) -> None:
    assert read_objective(str(wanted)) == wanted


@given(st.text(max_size=40))
def test_any_other_text_is_refused_with_a_reason(text: str) -> None:
    try:
        wanted = read_objective(text)
    except ValueError as error:
        assert str(error)  # noqa: PT017, most texts are none, a few are
    else:
        assert read_objective(str(wanted)) == wanted


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("poll p99 < 50 ms", "poll p99 < 50 ms"),
        ("POLL_P99<.5s", "poll p99 < 0.5 s"),
        ("approval-to-token p50 <= 6 s", "approval to tokens p50 <= 6 s"),
        ("start p99.9 ≤ 250 µs", "start p99.9 <= 250 us"),
        ("wrong == 0", "wrong outcomes = 0"),
        ("polls >= 4,000/s", "polls >= 4000 /s"),
        ("errors < 0.1 %", "errors < 0.1 %"),
        ("slow-down = 0", "slow_down = 0"),
    ],
)
def test_there_are_several_ways_to_write_it(text: str, words: str) -> None:
    assert str(read_objective(text)) == words


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "write MEASURE SIGN VALUE"),
        ("poll p99 50 ms", "write MEASURE SIGN VALUE"),
        ("1 < polls < 2", "write MEASURE SIGN VALUE"),
        ("poll p98 < 50 ms", "did you mean poll p9"),
        ("height < 50 ms", "known are wrong outcomes"),
        ("poll p99 < 50", "is a time, so its unit is one of: us, ms, s, min; not none"),
        ("poll p99 < 50 %", "not %"),
        ("errors < 5 ms", "is a count, so its unit is one of: none, /s, %; not ms"),
        ("errors < few", "no number with a unit"),
        ("errors < -1", "no number with a unit"),
        ("errors < 1" + "0" * 400, "no number with a unit"),
    ],
)
def test_an_error_says_what_would_be_right(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_objective(text)


def test_a_file_has_one_a_line() -> None:
    found = read_objectives("# what we promise\npoll p99 < 50 ms  # at the edge\n\nerrors = 0\n")
    assert [str(each) for each in found] == ["poll p99 < 50 ms", "errors = 0"]
    with pytest.raises(ValueError, match="line 2: there is no measure"):
        read_objectives("errors = 0\nerors = 0\n")


@pytest.mark.parametrize(
    ("text", "measured", "is_met"),
    [
        ("poll p99 < 50 ms", 21.0, True),
        ("poll p99 < 0.02 s", 0.021, False),
        ("wrong outcomes = 0", 3, False),
        ("errors <= 9 %", 9.0, True),
        ("polls > 3 /s", 100 / RESULT.seconds, True),
        ("refresh p50 < 1 s", None, False),
        ("server cpu per poll < 20 us", 15.0, True),
        ("generator late < 1 s", 0.012, True),
    ],
)
def test_the_verdict(text: str, measured: float | None, is_met: bool) -> None:  # noqa: FBT001
    (verdict,) = judge([read_objective(text)], RESULT)
    assert verdict.measured == (measured if measured is None else pytest.approx(measured))
    assert verdict.is_met is is_met


def test_a_share_of_no_polls_is_nothing() -> None:
    empty = msgspec.structs.replace(RESULT, polls={})
    (verdict,) = judge([read_objective("errors < 1 %")], empty)
    assert (verdict.measured, verdict.is_met) == (None, False)


def test_a_fault_makes_polls_fail() -> None:
    assert [str(each) for each in default_objectives(has_faults=True)] == ["wrong outcomes = 0"]
    assert "errors = 0" in map(str, default_objectives())


def test_names_are_for_machines() -> None:
    texts = ("poll p99 < 1 s", "errors < 1 %", "polls > 1 /s", "wrong = 0")
    verdicts = judge([read_objective(text) for text in texts], RESULT)
    names = [verdict.name for verdict in verdicts]
    assert names == ["poll_p99_s", "errors_percent", "polls_per_s", "wrong_outcomes"]
