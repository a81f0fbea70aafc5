"""How often one may guess: passwords on the sign-in page, codes on the device page.

An address is given more room than an account, since many honest people may share it. Nothing
is locked for good, the pause after a burst is short and after many of them long, and a success
resets no count (RFC 8628 5.1); at most it is not counted itself.
"""

from dataclasses import dataclass
from typing import NamedTuple

from deviceflow.core.address import rate_key
from deviceflow.pages.errors import too_many
from deviceflow.pages.texts import gettext
from deviceflow.store.grants import GUESSES_PER_LIFETIME
from deviceflow.store.limits import Limits

PEOPLE_PER_ADDRESS = 25
"""How many people's guesses at codes one address may make: a household, a shop, an office."""


class Rule(NamedTuple):
    """At most `limit` times in `window_s` seconds; `name` keeps the counts of rules apart."""

    name: str
    limit: int
    window_s: int


@dataclass(frozen=True, kw_only=True)
class ThrottleRules:
    """All rules: for each kind of guess, those of an account and those of an address."""

    sign_in_account: tuple[Rule, ...]
    sign_in_address: tuple[Rule, ...]
    code_account: tuple[Rule, ...]
    code_address: tuple[Rule, ...]


def throttle_rules(code_lifetime_s: int) -> ThrottleRules:
    """Make the rules of a server whose codes live for `code_lifetime_s`.

    The length of codes allows for five addresses at these limits (docs/security.md).
    """
    guesses, lifetime_s = GUESSES_PER_LIFETIME, code_lifetime_s
    return ThrottleRules(
        sign_in_account=(Rule("sign-in-user", 10, 60), Rule("sign-in-user-hour", 50, 3600)),
        sign_in_address=(Rule("sign-in-address", 60, 60), Rule("sign-in-address-hour", 600, 3600)),
        code_account=(Rule("code-user", guesses, lifetime_s),),
        code_address=(Rule("code-address", guesses * PEOPLE_PER_ADDRESS, lifetime_s),),
    )


@dataclass(frozen=True, kw_only=True)
class Throttle:
    """Counts attempts in the store. Raises `PageError` 429, with `Retry-After`, when over."""

    limits: Limits
    rules: ThrottleRules

    async def sign_in(self, username: str, address: str) -> None:
        """Count an attempt to sign in, whether or not there is such a user."""
        wait = await self._wait(self.rules.sign_in_account, username.strip().casefold())
        wait = max(wait, await self._wait(self.rules.sign_in_address, rate_key(address)))
        if wait:
            raise too_many(gettext("error.too_many.sign_ins"), wait)

    async def code(self, sub: str, address: str) -> None:
        """Count a code that was submitted, as long as it is not known to be right."""
        wait = await self._wait(self.rules.code_account, sub)
        wait = max(wait, await self._wait(self.rules.code_address, rate_key(address)))
        if wait:
            raise too_many(gettext("error.too_many.codes"), wait)

    async def forgive_code(self, sub: str, address: str) -> None:
        """Take back the count of a code that was right: to set up a hundred devices is no guess."""
        for rule in self.rules.code_account:
            await self.limits.forgive(rule.name, sub)
        for rule in self.rules.code_address:
            await self.limits.forgive(rule.name, rate_key(address))

    async def _wait(self, rules: tuple[Rule, ...], key: str) -> int:
        """Count an attempt of `key`, and return the seconds to wait, 0 for none."""
        wait = 0
        for name, limit, window_s in rules:
            result = await self.limits.hit(name, key, limit=limit, window_s=window_s)
            if not result.allowed:
                wait = max(wait, result.retry_after_s, 1)
        return wait
