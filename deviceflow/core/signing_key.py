"""The keys that sign tokens. A key is made, signs, is superseded, and is deleted at its expiry.

A superseded key signs no longer. It stays published until the tokens that it signed expire.
"""

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

SigningAlgorithm = Literal["ES256", "Ed25519", "RS256"]
"""The algorithms that tokens can be signed with."""


def registered_algorithms(default: SigningAlgorithm) -> list[SigningAlgorithm]:
    """List what a client can register for: the server's `default`, and what libraries know."""
    return list(dict.fromkeys([default, "ES256", "RS256"]))


class SigningKey(msgspec.Struct, frozen=True, kw_only=True):
    """A private JWK (RFC 7517) whose `kid` is its RFC 7638 thumbprint.

    `created_at` and `expires_at` in s since the epoch. `expires_at` is the time at which the
    last token that it signed expires, or 0 while it is not superseded.
    """

    jwk: dict[str, Any]
    created_at: int
    expires_at: int = 0

    @property
    def key_id(self) -> str:
        """The `kid` in the header of the tokens that it signs."""
        return str(self.jwk["kid"])

    @property
    def algorithm(self) -> str:
        """The `alg` that it signs with."""
        return str(self.jwk["alg"])

    def is_live(self, now: float) -> bool:
        """Return whether a token that it signed may still be valid."""
        return not self.expires_at or now < self.expires_at


def age(key: SigningKey) -> tuple[bool, int, str]:
    """Return a key to sort by, so that the key that signs is the last. A superseded key never is.

    The time alone is not enough: it is in whole seconds, and the clocks of hosts differ.
    """
    return not key.expires_at, key.created_at, key.key_id


def signing_key_of(keys: Iterable[SigningKey], algorithm: str) -> SigningKey | None:
    """Return the key that signs with `algorithm`, or None.

    A key with an expiry never signs: verifiers would drop it before its tokens expire.
    """
    current = [key for key in keys if key.algorithm == algorithm and not key.expires_at]
    return max(current, key=age, default=None)


def superseded(keys: Iterable[SigningKey], expires_at: int) -> list[SigningKey]:
    """Return the keys that a newer key replaces, with `expires_at` set.

    Keys of every algorithm are replaced, because the setting may have changed. A host that still
    has the old setting makes a new key.
    """
    return [
        msgspec.structs.replace(key, expires_at=expires_at) for key in keys if not key.expires_at
    ]
