"""The claims of DPoP proofs (RFC 9449).

The twelve checks of section 4.3 are in three places. The endpoint checks that there is a single
header. `signing/dpop.py` checks the JWT: its `typ`, an asymmetric `alg`, a public `jwk` and the
signature. This module checks the claims: `htm`, `htu`, `iat`, `nonce` and `ath`.
"""

from collections.abc import Sequence
from hashlib import blake2b
from hmac import compare_digest
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from deviceflow.core import base64url
from deviceflow.core.origin import origin_of

NONCE_STEP_S = 120
"""A nonce changes after this time and stays good for as long again, in s."""


PROOF_LIFETIME_S = 2 * NONCE_STEP_S
"""How long a proof may be used at most, in s: as long as its nonce is good."""


class Proof(NamedTuple):
    """A proof whose signature is good. `jkt`: the thumbprint of its key (RFC 7638)."""

    jkt: str
    claims: dict[str, Any]


class ProofError(ValueError):
    """The proof is not valid for this request. The text may be sent to the client."""


class NonceError(ProofError):
    """The proof has no current nonce of this server (RFC 9449 8)."""


class ProofRequirements(NamedTuple):
    """What a proof must match: the request, and the request's access token."""

    method: str
    url: str
    access_token: str | None = None


def is_thumbprint(text: str) -> bool:
    """Return whether `text` has the form of a SHA-256 thumbprint, as `dpop_jkt` must."""
    return base64url.is_digest(text)


def check_proof(proof: Proof, expected: ProofRequirements) -> str:
    """Check the claims and return the `jti`. The caller must refuse a `jti` that was used before.

    `iat` must be there, but its value does not count. A proof is only good with a nonce of this
    server (`check_nonce`), which tells by this server's own clock when the proof was made. RFC
    9449 4.3 (11) and 11.1 allow that, and devices without a battery start in 1970.

    May raise ProofError.
    """
    claims = proof.claims
    jti, issued_at = claims.get("jti"), claims.get("iat")
    if not isinstance(jti, str) or not jti or not isinstance(issued_at, int | float):
        raise ProofError("The DPoP proof lacks a claim.")
    if claims.get("htm") != expected.method:
        raise ProofError("The DPoP proof is for another method.")
    if not _same_url(claims.get("htu"), expected.url):
        raise ProofError("The DPoP proof is for another address.")
    if expected.access_token is not None and claims.get("ath") != token_hash(expected.access_token):
        raise ProofError("The DPoP proof is for another access token.")
    return jti


def token_hash(access_token: str) -> str:
    """Return the `ath` of an access token (RFC 9449 4.2)."""
    return base64url.sha256_digest(access_token)


def nonce(key: bytes, now: float, steps_back: int = 0) -> str:
    """Return the current nonce: unpredictable, and the same in every worker (RFC 9449 8)."""
    step = int(now // NONCE_STEP_S) - steps_back
    digest = blake2b(step.to_bytes(8), key=key, digest_size=16, person=b"df-dpop-nonce").digest()
    return base64url.encode(digest)


def check_nonce(proof: Proof, keys: Sequence[bytes], now: float) -> None:
    """Accept the current nonce and the previous nonce of each key. May raise NonceError."""
    # JSON can hold half a surrogate pair, which UTF-8 cannot encode.
    proof_nonce = str(proof.claims.get("nonce", "")).encode(errors="surrogatepass")
    good = [
        compare_digest(proof_nonce, nonce(key, now, back).encode())
        for key in keys
        for back in (0, 1)
    ]
    if not any(good):
        raise NonceError("The DPoP proof needs the nonce that this answer brings.")


def _same_url(htu: object, expected: str) -> bool:
    if not isinstance(htu, str):
        return False
    try:
        return _normalised(htu) == _normalised(expected)
    except ValueError:
        return False


def _normalised(url: str) -> str:
    """Return origin and path in normal form (RFC 9449 4.3; RFC 3986 6.2.2, 6.2.3)."""
    return origin_of(url) + (unquote(urlsplit(url).path) or "/")
