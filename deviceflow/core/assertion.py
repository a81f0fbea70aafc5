"""Client assertions, private_key_jwt (RFC 7523 section 3; OpenID Connect Core section 9)."""

from typing import Any, NamedTuple

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MAX_LIFETIME_S = 600
ASSERTION_SKEW_S = 60
"""How far the client's clock may differ from this server's, in s."""


class Assertion(NamedTuple):
    """A valid assertion, if `jti` has not been used before.

    `keep_s`: how long a used `jti` must be remembered, in s.
    """

    jti: str
    keep_s: int


def read_assertion(
    claims: dict[str, Any], *, client_id: str, issuer: str, now: float
) -> Assertion | None:
    """Read the claims of an assertion whose signature is good. Return None if they do not fit.

    `iss` and `sub` must be the client, and `aud` the issuer alone (draft-ietf-oauth-rfc7523bis).
    The assertion must expire within MAX_LIFETIME_S and have a `jti`. `iat` does not count (RFC
    7523 3 leaves that open): it says no more than `exp`, and only if the device's clock is right.
    """
    jti, expires_at = claims.get("jti"), claims.get("exp")
    if claims.get("iss") != client_id or claims.get("sub") != client_id:
        return None
    if claims.get("aud") not in (issuer, [issuer]):
        return None
    if not isinstance(jti, str) or not jti or not isinstance(expires_at, int | float):
        return None
    # Compare and do not subtract: an integer in JSON may be too large for a float.
    if not now - ASSERTION_SKEW_S < expires_at <= now + MAX_LIFETIME_S + ASSERTION_SKEW_S:
        return None
    if _is_later(claims.get("nbf"), now):
        return None
    return Assertion(jti, int(expires_at - now) + ASSERTION_SKEW_S + 1)


def _is_later(value: object, now: float) -> bool:
    if value is None:
        return False
    return not isinstance(value, int | float) or value > now + ASSERTION_SKEW_S
