"""Secrets that cannot be hashed, because they are needed again: encrypted by AES-256-GCM.

A key of the installation is in the same store. So it protects a secret in a copy of some records,
in a log of commands and on a screen. It protects it from a thief of the whole store where an
envelope key, which is kept elsewhere, seals the installation's keys (docs/security.md).
"""

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12


def encrypt(key: bytes, secret: bytes, context: str) -> bytes:
    """Encrypt `secret` by a `key` of 32 bytes. It can be decrypted in the same `context` only."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, secret, context.encode())


def decrypt(key: bytes, encrypted: bytes, context: str) -> bytes | None:
    """Return the secret, None if it was encrypted by another key or in another context."""
    nonce, text = encrypted[:_NONCE_BYTES], encrypted[_NONCE_BYTES:]
    try:
        return AESGCM(key).decrypt(nonce, text, context.encode())
    except (InvalidTag, ValueError):
        return None
