"""The signature of an upstream provider's tokens."""

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from deviceflow.signing.errors import BadToken
from deviceflow.signing.provider_tokens import unverified_header, verify_of_provider

CLAIMS = {"iss": "https://id.example.com", "sub": "user_1", "exp": 2_000_000_000}


def test_a_token_of_a_provider() -> None:
    """The first key that fits is enough; a key that may not verify is passed over."""
    key, other = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
    many = {"groups": [f"group-{number}" for number in range(2000)]}
    token = jwt.encode({"alg": "ES256", "kid": "k"}, CLAIMS | many, key)
    public = [each.as_dict(private=False) for each in (other, key)]
    assert unverified_header(token)["kid"] == "k"
    assert verify_of_provider(token, [{}, *public], "ES256").claims == CLAIMS | many
    for jwks, algorithm in ((public[:1], "ES256"), ([], "ES256"), (public, "RS256")):
        with pytest.raises(BadToken):
            verify_of_provider(token, jwks, algorithm)


@pytest.mark.parametrize("token", ["", "x", "..", "a.b.c", "{}.{}.{}", "\ud800.x.y", "ü.ü.ü"])
def test_what_is_no_token_of_a_provider(token: str) -> None:
    with pytest.raises(BadToken):
        unverified_header(token)


def test_a_token_without_end() -> None:
    key = ECKey.generate_key("P-256")
    token = jwt.encode({"alg": "ES256"}, {"x": "y" * 70_000}, key)
    with pytest.raises(BadToken):
        verify_of_provider(token, [key.as_dict(private=False)], "ES256")
