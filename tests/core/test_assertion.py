"""The claims of a client assertion (RFC 7523 3)."""

from typing import Any

import pytest

from deviceflow.core import assertion

NOW = 1_793_887_400.5
ISSUER = "https://auth.example.com"
GOOD = {"iss": "me", "sub": "me", "aud": ISSUER, "exp": int(NOW) + 60, "jti": "one"}


def check(**claims: Any) -> assertion.Assertion | None:  # noqa: ANN401, as in JSON
    content = {name: value for name, value in (GOOD | claims).items() if value is not None}
    return assertion.read_assertion(content, client_id="me", issuer=ISSUER, now=NOW)


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"aud": [ISSUER]},
        {"iat": int(NOW), "nbf": int(NOW)},
        {"iat": 0},
        {"iat": int(NOW) + 600},
        {"iat": int(NOW) - 600, "nbf": int(NOW) + 30, "exp": int(NOW) - 30},
        {"exp": int(NOW) + assertion.MAX_LIFETIME_S},
        {"exp": NOW - assertion.ASSERTION_SKEW_S + 0.5},
    ],
)
def test_good(claims: dict[str, Any]) -> None:
    """7523-3-a: the id is remembered for longer than the assertion is valid."""
    found = check(**claims)
    assert found is not None
    assert found.jti == "one"
    until = (GOOD | claims)["exp"]
    assert isinstance(until, int | float)
    assert NOW + found.keep_s >= until + assertion.ASSERTION_SKEW_S


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": None},
        {"iss": "you"},
        {"sub": None},
        {"sub": "you"},
        {"aud": None},
        {"aud": ISSUER + "/"},
        {"aud": ISSUER + "/oauth2/token"},
        {"aud": [ISSUER, "https://elsewhere.example.com"]},
        {"aud": []},
        {"aud": {}},
        {"exp": None},
        {"exp": str(int(NOW) + 60)},
        {"exp": int(NOW) - assertion.ASSERTION_SKEW_S - 1},
        {"exp": int(NOW) + assertion.MAX_LIFETIME_S + 90},
        {"exp": float("inf")},
        {"exp": float("nan")},
        {"exp": 10**400},
        {"nbf": int(NOW) + 90},
        {"nbf": "now"},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
    ],
)
def test_bad(claims: dict[str, Any]) -> None:
    """7523-3-a, 7523-3-b: the token endpoint as the audience is refused too."""
    assert check(**claims) is None
