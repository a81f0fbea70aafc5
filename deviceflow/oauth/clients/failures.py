"""How often a client may fail to authenticate (RFC 6749 2.3.1: protect secrets from guessing).

1. Failures count for one client at one address, in all workers and servers together. So no
   guesser can shut out a client at other addresses.
2. After too many (`policy.rules`), nothing that this guesser sends is looked at for a while.
3. Failures count for the address, too. After too many of them, each client there is shut out by
   its first failure. Until then its credentials are looked at: a right secret passes, whatever
   others try at the same address.
4. A worker remembers whom it has shut out, so that further guesses cost the store nothing.
"""

from math import ceil
from typing import NamedTuple

from deviceflow.audit.events import SecurityEvent
from deviceflow.audit.journal import Audit
from deviceflow.core.clock import Clock
from deviceflow.policy.rules import (
    CLIENT_FAILURE,
    CLIENT_FAILURE_ADDRESS,
    Rule,
    client_failure_counts,
)
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

    def __init__(self, limits: Limits, clock: Clock, audit: Audit) -> None:
        self._limits = limits
        self._clock = clock
        self._audit = audit
        # Of an address alone: until when each failure there is one too many.
        self._shut_out_until: dict[Guesser | str, float] = {}

    def wait_s(self, guesser: Guesser) -> int:
        """Return for how many s more the guesser is shut out; 0 if it is not."""
        wait_s = self._left_s(guesser)
        if wait_s:
            self._note_again(CLIENT_FAILURE)
        return wait_s

    async def count(self, guesser: Guesser) -> int:
        """Count a failure; return for how many s the guesser is shut out by it.

        May raise StoreUnavailable.
        """
        if self._left_s(guesser.address):
            self._note_again(CLIENT_FAILURE_ADDRESS)
            return self._shut_out(guesser, CLIENT_FAILURE_ADDRESS.window_s)
        try:
            await count_try(self._limits, client_failure_counts(guesser.client_id, guesser.address))
        except TooManyTries as refusal:
            self._note(refusal.rule)
            if refusal.rule is not CLIENT_FAILURE_ADDRESS:
                return self._shut_out(guesser, refusal.wait_s)
            self._shut_out(guesser.address, refusal.wait_s)
            # This failure counts nowhere. So the client is shut out for the whole window, however
            # soon the address may fail again.
            return self._shut_out(guesser, CLIENT_FAILURE_ADDRESS.window_s)
        return 0

    def _note_again(self, rule: Rule) -> None:
        """Note a refusal for which the store is not asked, and so counts none."""
        self._limits.on_refusal(rule.name)
        self._note(rule)

    def _note(self, rule: Rule) -> None:
        self._audit.record(SecurityEvent.LIMIT_REFUSED, outcome="failure", limit=rule.name)

    def _left_s(self, who: Guesser | str) -> int:
        left_s = self._shut_out_until.get(who, 0.0) - self._clock()
        if left_s <= 0:
            self._shut_out_until.pop(who, None)
        return max(0, ceil(left_s))

    def _shut_out(self, who: Guesser | str, wait_s: int) -> int:
        if len(self._shut_out_until) >= SHUT_OUT_REMEMBERED:
            self._shut_out_until.clear()
        self._shut_out_until[who] = self._clock() + wait_s
        return wait_s
