"""The marks of accounts: what they end, and what goes on."""

import pytest

from deviceflow.core.account_marks import NO_MARKS, AccountMarks

NOW_S = 1_790_000_000
NOW_MS = NOW_S * 1000 + 500


@pytest.mark.parametrize(
    ("latest", "mark", "auth_time", "is_good"),
    [
        (0, 0, NOW_S, True),
        (0, None, 0, True),
        (NOW_MS, NOW_MS, 0, True),
        (NOW_MS, NOW_MS - 1, NOW_S + 60, False),
        (NOW_MS, 0, NOW_S + 60, False),
        (NOW_MS, NOW_MS + 1, 0, True),
        (NOW_MS, None, NOW_S, False),
        (NOW_MS, None, NOW_S + 1, True),
    ],
)
def test_what_carries_an_earlier_mark_has_ended(
    latest: int, mark: int | None, auth_time: int, *, is_good: bool
) -> None:
    """Whatever a clock says. The sign-in decides only where an older version stored no mark.

    A later mark than the account's is one that a store has lost.
    """
    assert AccountMarks(sessions=latest).allow_session(mark, auth_time) is is_good
    assert AccountMarks(devices=latest).allow_device(mark, auth_time) is is_good
    assert AccountMarks(devices=latest).allow_session(mark, auth_time), "one ends not the other"
    assert AccountMarks(sessions=latest).allow_device(mark, auth_time)


@pytest.mark.parametrize(("issued_at", "is_good"), [(-1, False), (0, True), (1, True)])
def test_an_access_token_goes_by_its_time(issued_at: int, *, is_good: bool) -> None:
    assert AccountMarks(devices=NOW_MS).allow_token(NOW_S + issued_at) is is_good
    assert AccountMarks(sessions=NOW_MS).allow_token(NOW_S + issued_at)
    assert NO_MARKS.allow_token(0)
