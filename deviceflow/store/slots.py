"""Slot numbers: one counter in the store, taken in small blocks.

A slot number spreads live grants evenly over the pace table, and the counter's growth tells
how many grants are live, which decides how long a user code has to be.
"""

from collections import deque

from deviceflow.core.clock import Clock
from deviceflow.core.device_code import SLOT_BITS
from deviceflow.store.connection import Connection

COUNTER_KEY = "df:slots"
BLOCK = 16
_SAMPLES_KEPT_S = 86_400


class Slots:
    """One worker's share of the slot numbers."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._free: list[int] = []
        self._samples: deque[tuple[float, int]] = deque()

    async def take(self) -> int:
        """The next slot number. Raises StoreUnavailable."""
        while not self._free:
            end = int(await self._connection.command("INCRBY", COUNTER_KEY, BLOCK))
            self._note(end)
            self._free.extend(n % (1 << SLOT_BITS) for n in range(end, end - BLOCK, -1))
        return self._free.pop()

    def live(self, lifetime: int) -> int:
        """About how many grants all servers made in the last `lifetime` s; at least 1."""
        if not self._samples:
            return 1
        since = self._clock() - lifetime
        oldest = next((count for at, count in self._samples if at >= since), self._samples[-1][1])
        return max(1, self._samples[-1][1] - oldest)

    def _note(self, count: int) -> None:
        now = self._clock()
        if self._samples and count < self._samples[-1][1]:
            # The store lost its data and counts from 0 again.
            self._samples.clear()
        # One sample a second is enough to tell the rate; the first stays, as what to count from.
        if len(self._samples) <= 1 or now - self._samples[-1][0] >= 1:
            self._samples.append((now, count))
        else:
            self._samples[-1] = (self._samples[-1][0], count)
        while self._samples[0][0] < now - _SAMPLES_KEPT_S:
            self._samples.popleft()
