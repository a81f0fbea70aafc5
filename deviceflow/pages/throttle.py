"""How often one may guess: passwords on the sign-in page, codes on the device page.

An address is given more room than an account, since many honest people may share it. Nothing
is locked for good, the pause after a burst is short and after many of them long, and a success
resets no count (RFC 8628 5.1); at most it is not counted itself.
"""

from typing import NamedTuple

from deviceflow.core.address import rate_key
from deviceflow.pages.errors import too_many
from deviceflow.store.grants import GUESSES_PER_LIFETIME
from deviceflow.store.limits import Limits


class Rule(NamedTuple):
    """At most `limit` times in `window_s` seconds; `name` keeps the counts of rules apart."""

    name: str
    limit: int
    window_s: int


SIGN_IN_ACCOUNT = (Rule("sign-in-user", 10, 60), Rule("sign-in-user-hour", 50, 3600))
SIGN_IN_ADDRESS = (Rule("sign-in-address", 60, 60), Rule("sign-in-address-hour", 600, 3600))

PEOPLE_PER_ADDRESS = 25
"""How many people's guesses at codes one address may make: a household, a shop, an office."""


class Throttle:
    """Counts attempts in the store. Raises `PageError` 429, with `Retry-After`, when over.

    `lifetime_s`: how long a code lives. The length of codes is reckoned from the guesses that
    an account may make in this time, so this is where that promise is kept.
    """

    def __init__(self, limits: Limits, lifetime_s: int) -> None:
        self._limits = limits
        guesses = GUESSES_PER_LIFETIME
        self._code_account = (Rule("code-user", guesses, lifetime_s),)
        self._code_address = (Rule("code-address", guesses * PEOPLE_PER_ADDRESS, lifetime_s),)

    async def sign_in(self, username: str, address: str) -> None:
        """Count an attempt to sign in, whether or not there is such a user."""
        wait = await self._wait(SIGN_IN_ACCOUNT, username.strip().casefold())
        wait = max(wait, await self._wait(SIGN_IN_ADDRESS, rate_key(address)))
        if wait:
            raise too_many("There were too many attempts to sign in.", wait)

    async def code(self, sub: str, address: str) -> None:
        """Count a code that was submitted, as long as it is not known to be right."""
        wait = await self._wait(self._code_account, sub)
        wait = max(wait, await self._wait(self._code_address, rate_key(address)))
        if wait:
            raise too_many("Too many codes were entered.", wait)

    async def forgive_code(self, sub: str, address: str) -> None:
        """Do not count a code that was right: who sets up a hundred devices guesses at none."""
        for name, _, _ in self._code_account:
            await self._limits.forgive(name, sub)
        for name, _, _ in self._code_address:
            await self._limits.forgive(name, rate_key(address))

    async def _wait(self, rules: tuple[Rule, ...], key: str) -> int:
        """Return the seconds to wait, 0 for none."""
        wait = 0
        for name, limit, window_s in rules:
            verdict = await self._limits.hit(name, key, limit=limit, window_s=window_s)
            if not verdict.allowed:
                wait = max(wait, verdict.retry_after_s, 1)
        return wait
