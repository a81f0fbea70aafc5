"""Figures as people read them."""

import pytest

from deviceflow.fleet.report.words import NOTHING, clock, counted, duration, number, share


@pytest.mark.parametrize(
    ("value", "words"),
    [(0, "0"), (20_000, "20,000"), (1234.4, "1,234"), (0.4567, "0.457"), (12.34, "12.3")],
)
def test_number(value: float, words: str) -> None:
    assert number(value) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.00085, "850 us"),
        (0.0042, "4.2 ms"),
        (0.9996, "1,000 ms"),
        (1.3, "1.3 s"),
        (90, "90 s"),
        (120, "2 min"),
        (86_400, "24 h"),
        (150, "2.5 min"),
    ],
)
def test_duration(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_the_time_of_a_run() -> None:
    assert [clock(at) for at in (0, 5.4, 90, 3_725)] == ["0:00", "0:05", "1:30", "1:02:05"]


def test_shares_and_counts() -> None:
    assert (share(1, 8), share(1, 0)) == ("12.5 %", NOTHING)
    assert (counted(1, "device"), counted(20_000, "device")) == ("1 device", "20,000 devices")
