"""How often a client may fail to authenticate (RFC 6749 2.3.1: protect secrets from guessing).

1. Failures count for one client at one address, in all workers and servers together. So nobody
   can shut out a client from elsewhere.
2. After too many (`policy.rules`), nothing that this guesser sends is looked at for a while.
3. A worker remembers whom it has shut out, so that further guesses cost the store nothing.
"""

from math import ceil
from typing import NamedTuple

from deviceflow.core.clock import Clock
from deviceflow.policy.rules import CLIENT_FAILURE, Count
from deviceflow.policy.tries import TooManyTries, count_try
from deviceflow.store.limits import Limits

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
        count = Count(CLIENT_FAILURE, f"{guesser.address} {guesser.client_id}")
        try:
            await count_try(self._limits, [count])
        except TooManyTries as refusal:
            return self._shut_out(guesser, refusal.wait_s)
        return 0

    def _shut_out(self, guesser: Guesser, wait_s: int) -> int:
        if len(self._shut_out_until) >= SHUT_OUT_REMEMBERED:
            self._shut_out_until.clear()
        self._shut_out_until[guesser] = self._clock() + wait_s
        return wait_s
