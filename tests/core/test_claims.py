"""The claims of tokens (RFC 9068 2.2, OpenID Connect Core 2 and 5.4)."""

import pytest

from deviceflow.core.claims import (
    Access,
    Claims,
    Subject,
    Validity,
    access_token,
    id_token,
    profile,
)

ADA = Subject(
    sub="user_1",
    username="ada",
    auth_time=1_700_000_000,
    amr=("pwd",),
    name="Ada Lovelace",
    email="ada@example.com",
)
LIFETIME = Validity(1_700_000_100, 1_700_003_700)
ISSUER = "https://id.example.com"


def test_an_access_token_has_the_required_claims() -> None:
    """9068-2.2-a, 9068-2.2.3-a."""
    claims = access_token(
        ADA,
        Access(audience="https://api.example.com", client_id="tv-app", scope="openid profile"),
        issuer=ISSUER,
        jti="unique",
        lifetime=LIFETIME,
    )
    assert claims == {
        "iss": ISSUER,
        "sub": "user_1",
        "aud": "https://api.example.com",
        "client_id": "tv-app",
        "scope": "openid profile",
        "jti": "unique",
        "iat": 1_700_000_100,
        "exp": 1_700_003_700,
        "auth_time": 1_700_000_000,
        "amr": ["pwd"],
    }


def test_an_id_token_is_for_the_client() -> None:
    claims = id_token(ADA, issuer=ISSUER, client_id="tv-app", scope="openid", lifetime=LIFETIME)
    assert claims == {
        "iss": ISSUER,
        "sub": "user_1",
        "aud": "tv-app",
        "iat": 1_700_000_100,
        "exp": 1_700_003_700,
        "auth_time": 1_700_000_000,
        "amr": ["pwd"],
    }


@pytest.mark.parametrize(
    ("scope", "claims"),
    [
        ("", {}),
        ("openid", {}),
        ("openid profiles emails", {}),
        ("profile", {"preferred_username": "ada", "name": "Ada Lovelace"}),
        ("email", {"email": "ada@example.com"}),
        (
            "email profile",
            {"preferred_username": "ada", "name": "Ada Lovelace", "email": "ada@example.com"},
        ),
    ],
)
def test_the_person_s_claims_are_those_of_the_scope(scope: str, claims: Claims) -> None:
    assert profile(ADA, scope) == claims


def test_what_is_not_known_is_not_claimed() -> None:
    stranger = Subject(sub="user_2", username="bob", auth_time=0)
    assert profile(stranger, "profile email") == {"preferred_username": "bob"}


def test_no_scope_replaces_a_registered_claim() -> None:
    scope = "openid profile email iss sub aud exp"
    claims = id_token(ADA, issuer=ISSUER, client_id="tv-app", scope=scope, lifetime=LIFETIME)
    assert (claims["iss"], claims["sub"], claims["aud"]) == (ISSUER, "user_1", "tv-app")
