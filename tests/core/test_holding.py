"""How long a poll is held, and who decides that."""

import pytest

from deviceflow.core.holding import NO_HOLD, Hold, HoldRule

RULE = HoldRule(cap=20, hold_s=10)


@pytest.mark.parametrize(
    ("requested", "client_hold_s", "seconds"),
    [
        (None, None, 10),
        (None, 4, 4),
        (None, 0, 0),
        (None, 25, 20),
        (0, None, 0),
        (3, None, 3),
        (3, 0, 3),
        (99_999, 4, 20),
    ],
)
def test_what_the_device_asks_for_counts_before_what_the_operator_wants(
    requested: int | None, client_hold_s: int | None, seconds: int
) -> None:
    hold = RULE.of(requested, client_hold_s)
    assert hold == Hold(seconds, is_asked=requested is not None)


def test_off_by_default() -> None:
    assert HoldRule(cap=30).of(None, None) == NO_HOLD


def test_only_a_device_that_asked_learns_how_long_it_was_held() -> None:
    assert Hold(7, is_asked=True).preference == 7
    assert Hold(7, is_asked=False).preference == 0
