"""Codes of an app, by RFC 6238: its vectors, its window, and no code twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deviceflow.policy.totp import STEP_S, new_secret, provisioning_uri, step_of
from tests.stage.factors import SECRET, App

RFC_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
"""Appendix B of RFC 6238: the ASCII text 12345678901234567890."""


@pytest.mark.parametrize(
    ("now", "code"),
    [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
    ],
)
def test_the_vectors_of_the_rfc(now: int, code: str) -> None:
    """Appendix B has eight digits; six are their end."""
    assert step_of(RFC_SECRET, code, now) == now // STEP_S
    assert step_of(RFC_SECRET, f"{code[:3]} {code[3:]}", now) == now // STEP_S


@given(now=st.integers(10_000, 2**33), steps=st.integers(-5, 5))
def test_only_the_steps_around_now_count(now: int, steps: int) -> None:
    found = step_of(SECRET, App().code(now, steps), now)
    if abs(steps) <= 1:
        assert found is not None
    elif found is not None:  # two steps may have the same code
        assert App().code(found * STEP_S) == App().code(now, steps)


@given(now=st.integers(10_000, 2**33), used=st.integers(-3, 3), steps=st.integers(-1, 1))
def test_no_step_counts_after_a_later_one(now: int, used: int, steps: int) -> None:
    used_step = now // STEP_S + used
    found = step_of(SECRET, App().code(now, steps), now, used_step)
    assert found is None or found > used_step


@given(typed=st.text())
def test_any_text_is_read(typed: str) -> None:
    found = step_of(SECRET, typed, 1_800_000_000)
    assert found is None or "".join(typed.split()) == App().code(found * STEP_S)


def test_secrets_are_long_and_new() -> None:
    assert len({new_secret() for _ in range(50)}) == 50
    assert len(new_secret()) == 32


def test_names_are_escaped_in_the_address() -> None:
    uri = provisioning_uri(SECRET, "ada&secret=x", "Café & Co: TV")
    assert uri.count("secret=") == 1
    assert uri.startswith("otpauth://totp/")
