"""Limits in memory, with a clock; `tests/store/test_limits.py` holds them to the real ones."""

from collections.abc import Callable
from itertools import count
from math import ceil

from deviceflow.store.limits import LimitResult, Limits


def _ignore(_: str) -> None:
    return None


class MemoryLimits(Limits):
    """Tries by name and key: their ids and when (s)."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.on_refusal = _ignore
        self.tries: dict[tuple[str, str], dict[str, float]] = {}
        self.ids = count()

    async def hit(
        self,
        name: str,
        key: str,
        *,
        limit: int,
        window_s: int,
        longest_delay_s: int = 0,
        try_id: str = "",
    ) -> LimitResult:
        now = self.clock()
        tries = self.tries.get((name, key), {})
        for each in [each for each, at in tries.items() if at <= now - window_s]:
            del tries[each]
        if len(tries) >= limit:
            times = sorted(tries.values())
            over = len(tries) - limit
            if longest_delay_s:
                wait = times[-1] + min(longest_delay_s, 2 ** min(over, 30)) - now
            else:
                wait = times[over] + window_s - now
            if wait > 0:
                self.on_refusal(name)
                return LimitResult(allowed=False, retry_after_s=ceil(wait))
        self.tries.setdefault((name, key), tries)[try_id or str(next(self.ids))] = now
        return LimitResult(allowed=True, retry_after_s=0)

    async def forgive(self, name: str, key: str, try_id: str) -> None:
        self.tries.get((name, key), {}).pop(try_id, None)

    async def forget(self, name: str, key: str) -> None:
        self.tries.pop((name, key), None)

    def counted(self, name: str, key: str) -> int:
        """How many tries of `name` by `key` were counted and not taken back."""
        return len(self.tries.get((name, key), {}))

    def fill(self, name: str, key: str, number: int) -> None:
        """Count `number` tries, now."""
        for _ in range(number):
            self.tries.setdefault((name, key), {})[str(next(self.ids))] = self.clock()

    def keys(self, name: str) -> set[str]:
        """All keys under which a try of `name` is counted."""
        return {key for (counted, key), tries in self.tries.items() if counted == name and tries}
