"""Envelope keys: 32 random bytes that are kept outside the store, as text.

A source has one key a line, in base64 (as `openssl rand -base64 32` prints it) or in hexadecimal
digits. Empty lines and lines that begin with "#" do not count.
"""

import re
from base64 import b64decode

EXPECTED_KEY = "32 random bytes in base64 or hexadecimal (openssl rand -base64 32)"

_BASE64 = re.compile(r"[A-Za-z0-9+/]{43}=?|[A-Za-z0-9_-]{43}=?")
_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]{64}")
_URLSAFE = str.maketrans("-_", "+/")


def read_envelope_key(text: str) -> bytes | None:
    """Return the key in `text`, or None if it is none."""
    if _HEXADECIMAL.fullmatch(text):
        return bytes.fromhex(text)
    if _BASE64.fullmatch(text):
        return b64decode(text.rstrip("=").translate(_URLSAFE) + "=")
    return None


def is_key(text: str) -> bool:
    """Return whether `text` is a key."""
    return read_envelope_key(text) is not None


def read_envelope_keys(text: str) -> list[bytes] | None:
    """Return the keys in the lines of `text`, or None if a line is no key."""
    lines = [line.strip() for line in text.splitlines()]
    keys = [read_envelope_key(line) for line in lines if line and not line.startswith("#")]
    found = [key for key in keys if key is not None]
    return found if len(found) == len(keys) else None
