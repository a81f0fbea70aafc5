"""The first events of a window get a line, the others are counted."""

from deviceflow.audit.thinning import (
    AUDIT_KINDS,
    LINES_PER_WINDOW,
    THINNING_WINDOW_S,
    Thinning,
)
from tests.stage.clock import Clock

WRONG = ("code.wrong", "")
OTHER = ("limit.refused", "code.address")


def test_the_first_of_each_window_get_a_line(clock: Clock) -> None:
    thinning = Thinning(clock)
    taken = [thinning.takes(WRONG) for _ in range(LINES_PER_WINDOW + 7)]
    assert taken == [True] * LINES_PER_WINDOW + [False] * 7
    assert thinning.takes(OTHER), "another kind is not held back by a flood of this one"
    clock.now += THINNING_WINDOW_S
    assert thinning.takes(WRONG)
    assert list(thinning.left_out()) == [(WRONG, 7)]
    assert list(thinning.left_out()) == []


def test_kinds_have_a_cap(clock: Clock) -> None:
    thinning = Thinning(clock)
    for i in range(AUDIT_KINDS + LINES_PER_WINDOW + 5):
        thinning.takes(("limit.refused", str(i)))
    assert list(thinning.left_out()) == [(("(others)", ""), 5)]
