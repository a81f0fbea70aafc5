"""Which issuer a store belongs to."""

import pytest

from deviceflow.core.store_owner import is_trial, may_take_over

REAL, STAGE = "https://login.example.com", "https://stage.example.com"
TRIAL, OTHER_PORT = "http://127.0.0.1:8628", "http://localhost:9000"


@pytest.mark.parametrize(
    ("noted", "issuer", "may"),
    [
        ("", REAL, True),
        (REAL, REAL, True),
        (REAL, STAGE, False),
        (REAL, f"{REAL}/tenants/north", False),
        (REAL, TRIAL, False),
        (TRIAL, REAL, True),
        (TRIAL, OTHER_PORT, True),
        ("https://[::1]:8628", STAGE, True),
    ],
)
def test_a_store_has_one_issuer_but_for_trials(noted: str, issuer: str, *, may: bool) -> None:
    assert may_take_over(noted, issuer) is may


def test_a_name_that_only_looks_like_loopback_is_no_trial() -> None:
    assert is_trial("http://127.0.0.1")
    assert not is_trial("https://127.0.0.1.example.com")
    assert not is_trial("https://localhost.example.com")
