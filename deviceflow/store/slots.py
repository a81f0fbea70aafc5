"""Slot numbers: one counter in the store, from which each worker takes small blocks.

A slot number spreads live grants evenly over the pace table. The counter's growth says how many
grants are live, which decides how long a user code has to be. (A hash slot of a Redis Cluster
is something else, see `keyspace`.)
"""

from collections import deque

from deviceflow.core.clock import Clock
from deviceflow.core.device_code import SLOT_BITS
from deviceflow.store import keyspace
from deviceflow.store.connection import Connection

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
        """Return a slot number that no other grant has. May raise StoreUnavailable.

        A repetition of the command skips a block of numbers.
        """
        while not self._free:
            end = int(await self._connection.command("INCRBY", keyspace.SLOTS, BLOCK))
            self._note(end)
            self._free.extend(n % (1 << SLOT_BITS) for n in range(end, end - BLOCK, -1))
        return self._free.pop()

    def live(self, lifetime: int) -> int:
        """Return about how many grants all servers made in the last `lifetime` s, at least 1."""
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
        # One sample a second is enough for the rate. The first one stays: it is the base.
        if len(self._samples) <= 1 or now - self._samples[-1][0] >= 1:
            self._samples.append((now, count))
        else:
            self._samples[-1] = (self._samples[-1][0], count)
        while self._samples[0][0] < now - _SAMPLES_KEPT_S:
            self._samples.popleft()
