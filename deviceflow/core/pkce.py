"""Proof Key for Code Exchange (RFC 7636), for the device grant.

The device sends a challenge with the device authorization request, and the verifier with the
token request. A device code alone is then useless to a thief. Only S256 is offered.
"""

import re
from hmac import compare_digest

from deviceflow.core import base64url

METHOD = "S256"

# RFC 7636 4.1: unreserved characters.
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def is_challenge(text: str) -> bool:
    """Return whether `text` has the form of an S256 challenge."""
    return base64url.is_digest(text)


def challenge(verifier: str) -> str:
    """Return the S256 challenge of `verifier` (RFC 7636 4.2)."""
    return base64url.sha256_digest(verifier)


def proves(verifier: str, expected: str) -> bool:
    """Return whether `verifier` is well-formed and has the challenge `expected` (4.6)."""
    if _VERIFIER.fullmatch(verifier) is None:
        return False
    return compare_digest(challenge(verifier), expected)
