"""base64url without padding (RFC 7515 section 2), and SHA-256 digests in that encoding."""

import re
from base64 import urlsafe_b64decode
from binascii import b2a_base64
from hashlib import sha256

DIGEST_PATTERN = "[A-Za-z0-9_-]{43}"
"""256 bits in base64url: a thumbprint (RFC 7638), an S256 challenge (RFC 7636), a token."""

_URLSAFE = bytes.maketrans(b"+/", b"-_")
_ENCODED = re.compile(r"[A-Za-z0-9_-]*")
_DIGEST = re.compile(DIGEST_PATTERN)


def encode(data: bytes) -> str:
    """Encode `data` without padding."""
    return b2a_base64(data, newline=False).translate(_URLSAFE, b"=").decode()


def decode(text: str) -> bytes:
    """Decode base64url without padding. May raise ValueError."""
    if not _ENCODED.fullmatch(text) or len(text) % 4 == 1:
        raise ValueError("not base64url")
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def sha256_digest(text: str) -> str:
    """Return the SHA-256 of `text`, 43 characters: an `ath` (RFC 9449), an S256 challenge."""
    return encode(sha256(text.encode()).digest())


def is_digest(text: str) -> bool:
    """Return whether `text` has the form of 256 bits in base64url."""
    return _DIGEST.fullmatch(text) is not None
