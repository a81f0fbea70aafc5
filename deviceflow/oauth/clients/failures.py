"""How often a client may fail to authenticate (RFC 6749 2.3.1: protect secrets from guessing).

1. Failures count for one client at one address, in all workers and servers together. So nobody
   can shut out a client from elsewhere.
2. After too many in a window, nothing that this guesser sends is looked at until the window ends.
3. A worker remembers whom it has shut out, so that further guesses cost the store nothing.
"""

from math import ceil
from typing import NamedTuple

from deviceflow.core.clock import Clock
from deviceflow.store.limits import Limits

FAILURES_PER_WINDOW = 30
FAILURE_WINDOW_S = 60
SHUT_OUT_REMEMBERED = 10_000
"""Cap on what a worker remembers. Beyond it, it forgets all, and the store shuts them out anew."""


class Guesser(NamedTuple):
    """Whose failures count together: a client at an address (for IPv6, at a network)."""

    address: str
    client_id: str


class FailureThrottle:
    """Counts the failures of guessers, and shuts out those with too many."""

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._shut_out_until: dict[Guesser, float] = {}

    def wait_s(self, guesser: Guesser) -> int:
        """Return for how many s more the guesser is shut out; 0 if it is not."""
        left_s = self._shut_out_until.get(guesser, 0.0) - self._clock()
        if left_s <= 0:
            self._shut_out_until.pop(guesser, None)
        return max(0, ceil(left_s))

    async def count(self, guesser: Guesser) -> int:
        """Count a failure; return for how many s the guesser is shut out by it.

        May raise StoreUnavailable.
        """
        result = await self._limits.hit(
            "client",
            f"{guesser.address} {guesser.client_id}",
            limit=FAILURES_PER_WINDOW,
            window_s=FAILURE_WINDOW_S,
        )
        if result.allowed:
            return 0
        if len(self._shut_out_until) >= SHUT_OUT_REMEMBERED:
            self._shut_out_until.clear()
        self._shut_out_until[guesser] = self._clock() + result.retry_after_s
        return result.retry_after_s
