"""The claims of tokens that an upstream OpenID provider has signed.

The signature is checked before, by `signing`. Here are the rules for an ID token (OpenID Connect
Core 3.1.3.7) and for a logout token (OpenID Connect Back-Channel Logout 1.0, 2.6).
"""

import hashlib
from collections.abc import Mapping
from hmac import compare_digest
from typing import Any, NamedTuple, TypeGuard

from deviceflow.core import base64url

SKEW_S = 60
"""How far the provider's clock may differ from this server's, in s."""

MAX_AGE_S = 600
"""How long ago a token may have been issued: it comes straight from the token endpoint."""

MAX_SUBJECT = 255
"""The longest `sub`, in characters (OpenID Connect Core 2)."""

LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"

_MOST_METHODS = 16
_LONGEST_METHOD = 64

_Claims = Mapping[str, Any]


class TokenError(ValueError):
    """A rule that a token breaks. `claim`: the one that is wrong. The text is for the operator."""

    def __init__(self, claim: str, wrong: str) -> None:
        super().__init__(f"{claim}: {wrong}")
        self.claim = claim


class ExpectedToken(NamedTuple):
    """What an ID token must say. `acr_values`: those that were asked for, or none."""

    issuer: str
    client_id: str
    nonce: str
    max_age_s: int | None = None
    acr_values: tuple[str, ...] = ()


def check_id_token(claims: _Claims, expected: ExpectedToken, now: float) -> None:
    """Hold the claims of an ID token to the rules. May raise TokenError."""
    _check_issuer_and_audience(claims, expected.issuer, expected.client_id)
    subject_of(claims)
    _check_times(claims, now)
    nonce = claims.get("nonce")
    # JSON can hold half a surrogate pair, which UTF-8 cannot encode.
    sent = nonce.encode(errors="surrogatepass") if isinstance(nonce, str) else b""
    if not compare_digest(sent, expected.nonce.encode()):
        raise TokenError("nonce", "not the one of this sign-in")
    if expected.max_age_s is not None:
        signed_in_at = auth_time_of(claims)
        if signed_in_at is None:
            raise TokenError("auth_time", "missing, though max_age was sent")
        if now > signed_in_at + expected.max_age_s + SKEW_S:
            raise TokenError("auth_time", "longer ago than max_age")
    if expected.acr_values and claims.get("acr") not in expected.acr_values:
        raise TokenError("acr", "not one of acr_values")


def check_access_token_hash(claims: _Claims, access_token: str, algorithm: str) -> None:
    """Compare `at_hash`, if there is one (OpenID Connect Core 3.1.3.8). May raise TokenError."""
    sent = claims.get("at_hash")
    digest = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}
    make = digest.get(algorithm[-3:])
    # Which hash goes with EdDSA, no specification says.
    if sent is None or make is None:
        return
    whole = make(access_token.encode()).digest()
    if sent != base64url.encode(whole[: len(whole) // 2]):
        raise TokenError("at_hash", "not that of the access token")


class LogoutToken(NamedTuple):
    """Whose sessions end: all of `subject`, or the one `sid`; empty if the token does not say.

    `keep_s`: how long a used `jti` must be remembered.
    """

    subject: str
    sid: str
    jti: str
    keep_s: int
    issuer: str


def read_logout_token(claims: _Claims, *, issuer: str, client_id: str, now: float) -> LogoutToken:
    """Read the claims of a logout token. May raise TokenError."""
    _check_issuer_and_audience(claims, issuer, client_id)
    _check_times(claims, now, needs_expiry=False)
    if "nonce" in claims:
        raise TokenError("nonce", "present, so this may be an ID token")
    events, jti = claims.get("events"), claims.get("jti")
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
        raise TokenError("events", "not those of a logout")
    if not isinstance(jti, str) or not jti:
        raise TokenError("jti", "missing")
    sid = claims.get("sid", "")
    subject = subject_of(claims) if "sub" in claims else ""
    if not isinstance(sid, str) or not (sid or subject):
        raise TokenError("sid", "neither sub nor sid")
    if sid != session_of(claims):
        raise TokenError("sid", "characters that cannot be printed")
    return LogoutToken(subject, sid, jti, MAX_AGE_S + 2 * SKEW_S, issuer)


def subject_of(claims: _Claims) -> str:
    """Return the `sub`. May raise TokenError."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT:
        raise TokenError("sub", f"not a text of 1 to {MAX_SUBJECT} characters")
    if not subject.isprintable():
        raise TokenError("sub", "characters that cannot be printed")
    return subject


def session_of(claims: _Claims) -> str:
    """Return the `sid`, empty if the provider does not say or if it has no usable form.

    JSON can hold half a surrogate pair, which the store could not look for.
    """
    sid = claims.get("sid")
    return sid if isinstance(sid, str) and sid.isprintable() else ""


def auth_time_of(claims: _Claims) -> int | None:
    """Return when the person authenticated (s), or None if the provider does not say."""
    value = claims.get("auth_time")
    return int(value) if _is_time(value) else None


def methods_of(claims: _Claims) -> tuple[str, ...]:
    """Return the `amr`: none if the provider does not say.

    RFC 8176 has no value for "signed in elsewhere", so none is made up.
    """
    values = claims.get("amr")
    if not isinstance(values, list):
        return ()
    good = [value for value in values if _is_token(value)]
    return tuple(dict.fromkeys(good))[:_MOST_METHODS]


def context_of(claims: _Claims) -> str | None:
    """Return the `acr`, or None if the provider does not say."""
    value = claims.get("acr")
    is_good = isinstance(value, str) and value.isprintable() and 0 < len(value) <= MAX_SUBJECT
    return value if is_good else None


def _check_issuer_and_audience(claims: _Claims, issuer: str, client_id: str) -> None:
    if claims.get("iss") != issuer:
        raise TokenError("iss", "not the issuer of the settings")
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if client_id not in audiences:
        raise TokenError("aud", "not this client")
    # A token that is also for somebody else must say that this client asked for it.
    party = claims.get("azp", None if len(audiences) > 1 else client_id)
    if party != client_id:
        raise TokenError("azp", "not this client")


def _check_times(claims: _Claims, now: float, *, needs_expiry: bool = True) -> None:
    expires_at, issued_at = claims.get("exp"), claims.get("iat")
    if needs_expiry or expires_at is not None:
        if not _is_time(expires_at):
            raise TokenError("exp", "not a time")
        if now >= expires_at + SKEW_S:
            raise TokenError("exp", "the token has expired; compare the clocks of both servers")
    if not _is_time(issued_at):
        raise TokenError("iat", "not a time")
    if issued_at > now + SKEW_S:
        raise TokenError("iat", "in the future; compare the clocks of both servers")
    if issued_at < now - MAX_AGE_S - SKEW_S:
        raise TokenError("iat", "long ago; compare the clocks of both servers")
    not_before = claims.get("nbf", issued_at)
    if not _is_time(not_before) or not_before > now + SKEW_S:
        raise TokenError("nbf", "in the future; compare the clocks of both servers")


def _is_time(value: object) -> TypeGuard[float]:
    # `True` is an int, and an integer in JSON may be too large for a float.
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value < 1 << 53


def _is_token(value: object) -> bool:
    return (
        isinstance(value, str)
        and 0 < len(value) <= _LONGEST_METHOD
        and value.isascii()
        and value.isprintable()
        and " " not in value
    )
