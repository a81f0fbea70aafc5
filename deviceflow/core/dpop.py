"""DPoP proofs (RFC 9449): what a proof has to say. The signature is checked by `signing.py`.

The twelve checks of section 4.3 are divided: one header (the endpoint), a well-formed JWT with
`typ`, an asymmetric `alg`, a public `jwk` and a signature made with it (signing), and here the
claims: `htm`, `htu`, `iat`, `nonce`, `ath`, and the key that a token is bound to.
"""

from hashlib import blake2b
from hmac import compare_digest
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from deviceflow.core import base64url
from deviceflow.core.origin import origin_of

MAX_AGE_S = 300
"""How old a proof may be (RFC 9449 11.1)."""

CLOCK_SKEW_S = 5
NONCE_STEP_S = 120


class Proof(NamedTuple):
    """A proof whose signature was good: the key's RFC 7638 thumbprint and the claims."""

    jkt: str
    claims: dict[str, Any]


class ProofError(ValueError):
    """The proof is not valid for this request. The text is fit for an answer."""


class NonceError(ProofError):
    """The proof has no nonce of ours, or an old one (RFC 9449 8)."""


class ProofRequirements(NamedTuple):
    """What a proof has to fit: the request, the time (s), and the token that comes with it."""

    method: str
    url: str
    now: float
    access_token: str | None = None


def is_thumbprint(text: str) -> bool:
    """Whether `text` can be the SHA-256 thumbprint of a key, as `dpop_jkt` is."""
    return base64url.is_digest(text)


def check(proof: Proof, expected: ProofRequirements) -> str:
    """Check the claims; the `jti`, which the caller has to see used only once.

    Raises ProofError.
    """
    claims = proof.claims
    jti, issued_at = claims.get("jti"), claims.get("iat")
    if not isinstance(jti, str) or not jti or not isinstance(issued_at, int | float):
        raise ProofError("The DPoP proof lacks a claim.")
    if claims.get("htm") != expected.method:
        raise ProofError("The DPoP proof is for another method.")
    if not _same_url(claims.get("htu"), expected.url):
        raise ProofError("The DPoP proof is for another address.")
    # Compared, not subtracted: a whole number in JSON may be too large for a float.
    if not expected.now - MAX_AGE_S <= issued_at <= expected.now + CLOCK_SKEW_S:
        raise ProofError("The DPoP proof is too old, or from the future.")
    if expected.access_token is not None and claims.get("ath") != token_hash(expected.access_token):
        raise ProofError("The DPoP proof is for another access token.")
    return jti


def token_hash(access_token: str) -> str:
    """The `ath` of an access token (RFC 9449 4.2)."""
    return base64url.sha256_digest(access_token)


def nonce(key: bytes, now: float, steps_back: int = 0) -> str:
    """The server's nonce of this moment: unpredictable, and known to every worker (8)."""
    step = int(now // NONCE_STEP_S) - steps_back
    digest = blake2b(step.to_bytes(8), key=key, digest_size=16, person=b"df-dpop-nonce").digest()
    return base64url.encode(digest)


def check_nonce(proof: Proof, key: bytes, now: float) -> None:
    """Accept the nonce of this moment and of the one before. Raises NonceError."""
    # JSON can spell half a surrogate pair, which is no UTF-8.
    presented = str(proof.claims.get("nonce", "")).encode(errors="surrogatepass")
    good = [compare_digest(presented, nonce(key, now, back).encode()) for back in (0, 1)]
    if not any(good):
        raise NonceError("The DPoP proof needs the nonce that this answer brings.")


def _same_url(presented: object, expected: str) -> bool:
    if not isinstance(presented, str):
        return False
    try:
        return _normalised(presented) == _normalised(expected)
    except ValueError:
        return False


def _normalised(url: str) -> str:
    """Return origin and path alone, in one spelling (RFC 9449 4.3; RFC 3986 6.2.2, 6.2.3)."""
    return origin_of(url) + (urlsplit(url).path or "/")
