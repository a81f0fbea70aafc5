"""Challenges of passkeys (WebAuthn 13.4.3) and of proofs of work.

They are for one browser and purpose, last for minutes, and are used once. A page that is looked at
stores nothing, so a challenge carries its own end and a keyed digest. Only a right answer to it is
noted in the store: then it is used.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from hmac import compare_digest

from deviceflow.core import base64url
from deviceflow.core.clock import Clock
from deviceflow.store.replay import Replay

LIVES_S = 600

_PERSON = b"df-challenge"
_HEAD_BYTES = 24
_TAG_BYTES = 32


@dataclass(frozen=True, kw_only=True)
class Challenges:
    """Makes and uses challenges. `keys`: as those of `Csrf`. `kind`: names what uses them."""

    keys: Callable[[], Sequence[bytes]]
    replay: Replay
    clock: Clock
    kind: str = "passkey"

    def make(self, cookie: str, purpose: str) -> bytes:
        """Make a challenge for the bearer of `cookie`: its end (s), 128 random bits, a digest."""
        until = int(self.clock()) + LIVES_S
        head = until.to_bytes(8) + secrets.token_bytes(16)
        return head + _tag(self.keys()[0], head, cookie, purpose)

    def is_good(self, challenge: bytes, cookie: str, purpose: str) -> bool:
        """Say whether this server made it for this browser and purpose, and it has not ended."""
        head, tag = challenge[:_HEAD_BYTES], challenge[_HEAD_BYTES:]
        tags = (_tag(key, head, cookie, purpose) for key in self.keys())
        if not any(compare_digest(tag, own) for own in tags):
            return False
        return int.from_bytes(head[:8]) > self.clock()

    async def use(self, challenge: bytes) -> bool:
        """Use a good challenge; return False if it was used. May raise StoreUnavailable."""
        name = base64url.encode(challenge)
        return await self.replay.use(self.kind, "", name, LIVES_S + 60)


def _tag(key: bytes, head: bytes, cookie: str, purpose: str) -> bytes:
    digest = blake2b(key=key, digest_size=_TAG_BYTES, person=_PERSON)
    for part in (head, cookie.encode(), purpose.encode()):
        digest.update(len(part).to_bytes(4) + part)
    return digest.digest()
