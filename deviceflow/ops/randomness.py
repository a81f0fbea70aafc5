"""Random bits from the system, drawn in bulk: a start of a grant needs five small draws.

A call of the system for each of them took a twentieth of the time of a start. A child process
must not draw what its parent draws, so it forgets what was drawn before the fork.
"""

import os
from random import SystemRandom

DRAWN_BYTES = 2048


class Randomness(SystemRandom):
    """The system's random bits, with all that `SystemRandom` makes of them."""

    _drawn = b""
    _at = 0

    def getrandbits(self, k: int, /) -> int:
        """Return a number of `k` random bits, of bytes that were never used and never will be."""
        length = (k + 7) // 8
        end = self._at + length
        if end > len(self._drawn):
            self._drawn = os.urandom(max(DRAWN_BYTES, length))
            self._at, end = 0, length
        number = int.from_bytes(self._drawn[self._at : end])
        self._at = end
        return number >> (8 * length - k)

    def forget(self) -> None:
        """Drop what was drawn and not used."""
        self._drawn, self._at = b"", 0


RANDOMNESS = Randomness()
"""That of this process."""

os.register_at_fork(after_in_child=RANDOMNESS.forget)
