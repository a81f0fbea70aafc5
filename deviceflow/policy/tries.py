"""Count a try under its rules, or refuse it."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

from deviceflow.policy.rules import Count, Rule
from deviceflow.store.limits import Limits


class TooManyTries(Exception):  # noqa: N818, it states a condition, not a mistake
    """A rule refuses a try. `wait_s`: when the next one is allowed, at least 1."""

    def __init__(self, rule: Rule, wait_s: int) -> None:
        super().__init__(f"{rule.name}: wait {wait_s} s")
        self.rule = rule
        self.wait_s = wait_s


@dataclass(frozen=True, kw_only=True)
class Try:
    """A try that was counted."""

    limits: Limits
    id: str
    counts: tuple[Count, ...]

    async def forgive(self) -> None:
        """Take it back: it was no guess. May raise StoreUnavailable. A second time does nothing."""
        for rule, key in self.counts:
            await self.limits.forgive(rule.name, key, self.id)

    async def once(self, cause: str) -> "Try":
        """Count it as the one try for `cause`, however often that comes; return that try.

        May raise TooManyTries, StoreUnavailable.
        """
        await self.forgive()
        return await count_try(self.limits, self.counts, cause)

    def for_cause(self, cause: str) -> "Try":
        """Return the try that `once` has counted for `cause`, if it has."""
        return replace(self, id=cause)


async def count_try(limits: Limits, counts: Sequence[Count], try_id: str = "") -> Try:
    """Count a try under each of `counts`, the most general one first.

    With a `try_id` that is counted already, it stays one try.

    Raises TooManyTries at the first rule that refuses; then the try counts under none of them.
    May raise StoreUnavailable.
    """
    counted = Try(limits=limits, id=try_id or secrets.token_hex(8), counts=())
    for count in counts:
        rule, key = count
        result = await limits.hit(
            rule.name,
            key,
            limit=rule.limit,
            window_s=rule.window_s,
            longest_delay_s=rule.longest_delay_s,
            try_id=counted.id,
        )
        if not result.allowed:
            await counted.forgive()
            raise TooManyTries(rule, max(1, result.retry_after_s))
        counted = Try(limits=limits, id=counted.id, counts=(*counted.counts, count))
    return counted
