"""What a sign-in proves, and whether that is enough."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deviceflow.core.assurance import (
    BY_PASSWORD,
    ONE_TIME_CODE,
    PASSKEY,
    PHISHING_RESISTANT,
    SECOND_FACTOR,
    Shortfall,
    SignInMinimum,
    acr_of,
    joined,
    shortfall,
)

WAYS = {
    "password": BY_PASSWORD,
    "app": joined(BY_PASSWORD, ONE_TIME_CODE),
    "passkey after password": joined(BY_PASSWORD, PASSKEY),
    "passkey": PASSKEY,
}


@pytest.mark.parametrize(
    ("way", "acr"),
    [
        ("password", None),
        ("app", SECOND_FACTOR),
        ("passkey after password", PHISHING_RESISTANT),
        ("passkey", PHISHING_RESISTANT),
    ],
)
def test_the_level_of_each_way(way: str, acr: str | None) -> None:
    assert acr_of(WAYS[way]) == acr


@pytest.mark.parametrize(
    ("minimum", "enough"),
    [
        ("any", set(WAYS)),
        ("second_factor", {"app", "passkey after password", "passkey"}),
        ("phishing_resistant", {"passkey after password", "passkey"}),
    ],
)
def test_which_ways_are_enough(minimum: SignInMinimum, enough: set[str]) -> None:
    found = {
        way
        for way, amr in WAYS.items()
        if shortfall(minimum, None, amr=amr, acr=acr_of(amr), age_s=0) is None
    }
    assert found == enough


def test_the_words_of_another_provider_are_no_passkey() -> None:
    """`swk` is also what an app that shows a button gets; only the level counts."""
    amr = ("pwd", "swk", "mfa")
    assert shortfall("second_factor", None, amr=amr, acr=None, age_s=0) is None
    lacks = shortfall("phishing_resistant", None, amr=amr, acr="urn:other", age_s=0)
    assert lacks is Shortfall.PHISHING_RESISTANT
    assert shortfall("phishing_resistant", None, amr=amr, acr="phrh", age_s=0) is None


@given(age_s=st.integers(0, 10**6), max_age_s=st.none() | st.integers(0, 10**6))
def test_a_sign_in_gets_too_old(age_s: int, max_age_s: int | None) -> None:
    lacks = shortfall("any", max_age_s, amr=BY_PASSWORD, acr=None, age_s=age_s)
    is_too_old = max_age_s is not None and age_s > max_age_s
    assert lacks == (Shortfall.TOO_OLD if is_too_old else None)


@given(first=st.lists(st.text()), second=st.lists(st.text()))
def test_two_methods_are_named_once_and_are_two(first: list[str], second: list[str]) -> None:
    methods = joined(first, second)
    assert len(set(methods)) == len(methods)
    assert set(methods) == {*first, *second, "mfa"}
