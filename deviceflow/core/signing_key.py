"""A key that signs tokens, and its life: made, used, published a while longer, gone."""

from collections.abc import Iterable
from typing import Any

import msgspec


class SigningKey(msgspec.Struct, frozen=True, kw_only=True):
    """A private JWK (RFC 7517) whose `kid` is its RFC 7638 thumbprint.

    `created_at` in s. `expires_at` (s, 0 for not yet decided): when the last token that it
    signed has expired, and nobody needs it any more.
    """

    jwk: dict[str, Any]
    created_at: int
    expires_at: int = 0

    @property
    def key_id(self) -> str:
        """The `kid` in the header of what it signed."""
        return str(self.jwk["kid"])

    @property
    def algorithm(self) -> str:
        """What it signs with."""
        return str(self.jwk["alg"])

    def is_live(self, now: float) -> bool:
        """Whether something that it signed may still be good."""
        return not self.expires_at or now < self.expires_at


def age(key: SigningKey) -> tuple[bool, int, str]:
    """Sorts keys, the one that signs last: what was superseded never signs again.

    The time alone does not tell: it is in whole seconds, and hosts differ on it.
    """
    return not key.expires_at, key.created_at, key.key_id


def signing_key_of(keys: Iterable[SigningKey], algorithm: str) -> SigningKey | None:
    """Find the key that signs with `algorithm`, where one may: what has a date never does.

    Of what it signed after that date, nobody could tell any more that it is good.
    """
    fit = [key for key in keys if key.algorithm == algorithm and not key.expires_at]
    return max(fit, key=age, default=None)


def superseded(keys: Iterable[SigningKey], expires_at: int) -> list[SigningKey]:
    """The keys that a newer one replaces, as they are to be stored then.

    Those of all algorithms: one that was changed in the settings is not used again. A host whose
    settings still have it makes itself a new key.
    """
    return [
        msgspec.structs.replace(key, expires_at=expires_at) for key in keys if not key.expires_at
    ]
