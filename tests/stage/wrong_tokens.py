"""The tokens of a server that is right, or wrong in one way."""

import json
import secrets
from collections.abc import Callable
from typing import Any, NamedTuple

from deviceflow.core import base64url


class Granted(NamedTuple):
    """What the tokens are for. `jkt`: the key that they are bound to, or nothing."""

    client_id: str
    scope: str
    jkt: str


def token_answer(
    has: Callable[[str], bool], issuer: str, now: int, granted: Granted
) -> dict[str, Any]:
    """Make a token response (RFC 6749 5.1). `has` tells what is wrong with it."""
    claims = {
        "iss": issuer,
        "sub": "ada",
        "aud": "api",
        "client_id": granted.client_id,
        "scope": granted.scope,
        "iat": now,
        "exp": now + 3600,
        "jti": secrets.token_hex(8),
    }
    if has("tokens without claims"):
        del claims["jti"]
    if granted.jkt:
        claims["cnf"] = {"jkt": "x" if has("another key in the token") else granted.jkt}
    alg = "none" if has("unsigned tokens") else "ES256"
    answer: dict[str, Any] = {
        "access_token": _jwt({"alg": alg, "typ": "at+jwt"}, claims),
        "token_type": "DPoP" if granted.jkt else "Bearer",
        "expires_in": 31_536_000 if has("tokens for a year") else 3600,
        "refresh_token": secrets.token_urlsafe(32),
        "scope": "openid" if has("another scope is told") else granted.scope,
    }
    if "openid" in granted.scope.split():
        audience = "other" if has("an ID token for others") else granted.client_id
        known = {"iss": issuer, "sub": "ada", "aud": audience, "exp": 4_000_000_000, "iat": 1}
        answer["id_token"] = _jwt({"alg": "ES256", "kid": "1"}, known)
    return answer


def _jwt(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """A JWT with a made-up signature."""
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), b"signature")
    return ".".join(map(base64url.encode, parts))
