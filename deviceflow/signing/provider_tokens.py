"""The signature of an upstream provider's tokens; `core/provider_tokens.py` has the other rules."""

from collections.abc import Iterable, Mapping
from typing import Any

from deviceflow.signing.errors import BadToken
from deviceflow.signing.keys import import_public_jwk
from deviceflow.signing.verification import VerifiedToken, read_header, verify_signature

MAX_PROVIDER_CLAIMS = 65_536
"""The longest payload, in bytes: some providers list hundreds of groups."""


def unverified_header(token: str) -> dict[str, Any]:
    """Return the header of a token whose signature is not checked yet. May raise BadToken."""
    return read_header(token, MAX_PROVIDER_CLAIMS)


def verify_of_provider(
    token: str, jwks: Iterable[Mapping[str, Any]], algorithm: str
) -> VerifiedToken:
    """Verify a token that the provider signed with any of `jwks`. May raise BadToken."""
    for jwk in jwks:
        try:
            key = import_public_jwk(jwk)
            return verify_signature(token, key, (algorithm,), MAX_PROVIDER_CLAIMS)
        except BadToken:
            continue
    raise BadToken
