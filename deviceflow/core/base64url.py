"""base64url without padding (RFC 7515 section 2), and SHA-256 hashes written in it."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256

DIGEST_PATTERN = "[A-Za-z0-9_-]{43}"
"""The shape of 256 bits: a thumbprint (RFC 7638), an S256 challenge (RFC 7636), a random token."""

_ENCODED = re.compile(r"[A-Za-z0-9_-]*")
_DIGEST = re.compile(DIGEST_PATTERN)


def encode(data: bytes) -> str:
    """Write `data` in base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """Read base64url without padding. Raises ValueError for anything else."""
    if not _ENCODED.fullmatch(text) or len(text) % 4 == 1:
        raise ValueError("not base64url")
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def sha256_digest(text: str) -> str:
    """Return the SHA-256 of `text`, 43 characters: an `ath` (RFC 9449), an S256 challenge."""
    return encode(sha256(text.encode()).digest())


def is_digest(text: str) -> bool:
    """Return whether `text` can stand for 256 bits."""
    return _DIGEST.fullmatch(text) is not None
