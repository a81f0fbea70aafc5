"""Proof Key for Code Exchange (RFC 7636), for the device grant.

The device sends a challenge with the device authorization request and the verifier with the
token request, so a device code that was overheard is worthless. Only S256 is offered.
"""

import re
from base64 import urlsafe_b64encode
from hashlib import sha256
from hmac import compare_digest

METHOD = "S256"

# RFC 7636 4.1 and 4.2: unreserved characters; a challenge is a SHA-256 in base64url.
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


def is_challenge(text: str) -> bool:
    """Whether `text` can be an S256 challenge."""
    return _CHALLENGE.fullmatch(text) is not None


def challenge(verifier: str) -> str:
    """The S256 challenge of `verifier` (RFC 7636 4.2)."""
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def proves(verifier: str, expected: str) -> bool:
    """Whether `verifier` is well-formed and the one behind `expected` (RFC 7636 4.6)."""
    if _VERIFIER.fullmatch(verifier) is None:
        return False
    return compare_digest(challenge(verifier), expected)
