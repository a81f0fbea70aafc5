"""Client assertions, private_key_jwt (RFC 7523 section 3; OpenID Connect Core section 9)."""

from typing import Any, NamedTuple

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MAX_LIFETIME_S = 600
CLOCK_SKEW_S = 10


class Assertion(NamedTuple):
    """What is left to check: that `jti` is used once, for as long as it could be (`keep_s`)."""

    jti: str
    keep_s: int


def check(claims: dict[str, Any], *, client_id: str, issuer: str, now: float) -> Assertion | None:
    """The claims of an assertion whose signature was good, or None where they do not fit.

    `iss` and `sub` are the client; the audience is the issuer and nothing else
    (draft-ietf-oauth-rfc7523bis); it expires soon, and has an id that can be used up.
    """
    jti, expires_at = claims.get("jti"), claims.get("exp")
    if claims.get("iss") != client_id or claims.get("sub") != client_id:
        return None
    if claims.get("aud") not in (issuer, [issuer]):
        return None
    if not isinstance(jti, str) or not jti or not isinstance(expires_at, int | float):
        return None
    # Compared, not subtracted: a whole number in JSON may be too large for a float.
    if not now - CLOCK_SKEW_S < expires_at <= now + MAX_LIFETIME_S + CLOCK_SKEW_S:
        return None
    if any(_is_later(claims.get(name), now) for name in ("nbf", "iat")):
        return None
    return Assertion(jti, int(expires_at - now) + CLOCK_SKEW_S + 1)


def _is_later(value: object, now: float) -> bool:
    if value is None:
        return False
    return not isinstance(value, int | float) or value > now + CLOCK_SKEW_S
