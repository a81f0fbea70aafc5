"""Seals: a page believes what stands in its address only if this server wrote it for this browser.

After a POST comes a redirect, and the page behind it has to say what the POST has found out. The
address carries that, and the seal keeps others from making a page say it.
"""

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_PERSON = b"deviceflow-seal"


@dataclass(frozen=True, kw_only=True)
class Seal:
    """Seals facts for the bearer of a cookie. `keys`: as those of `Csrf`."""

    keys: Callable[[], Sequence[bytes]]

    def make(self, cookie: str, *facts: str) -> str:
        """Seal `facts`, in their order."""
        return _seal(self.keys()[0], cookie, *facts)

    def holds(self, seal: str, cookie: str, *facts: str) -> bool:
        """Say whether `seal` was made for these facts and this cookie."""
        # A cookie may have bytes that are not UTF-8. A seal has none of them.
        sent = seal.encode("utf-8", "replace")
        return any(
            hmac.compare_digest(_seal(key, cookie, *facts).encode(), sent) for key in self.keys()
        )


def _seal(key: bytes, *texts: str) -> str:
    digest = hashlib.blake2b(key=key, digest_size=16, person=_PERSON)
    for text in texts:
        data = text.encode("utf-8", "replace")
        digest.update(len(data).to_bytes(4) + data)
    return digest.hexdigest()
