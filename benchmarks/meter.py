"""What a server and its store use: CPU time, wake-ups, commands, bytes between them, memory."""

import time
from collections.abc import Sequence
from typing import Any

import msgspec

from benchmarks.processes import cpu_seconds, wake_ups
from benchmarks.stores import Store

OWN_READINGS = 6


class Usage(msgspec.Struct, frozen=True):
    """What was used: in all, by one operation, or in a second. Times in us, memory in bytes.

    `wakes`: how often the server slept and woke up.
    """

    seconds: float
    server_us: float
    wakes: float
    store_us: float
    commands: float
    store_bytes: float
    memory: float

    def minus(self, other: "Usage") -> "Usage":
        """Return the difference."""
        mine, theirs = msgspec.structs.astuple(self), msgspec.structs.astuple(other)
        return Usage(*(a - b for a, b in zip(mine, theirs, strict=True)))

    def plus(self, other: "Usage") -> "Usage":
        """Return the sum."""
        return self.minus(other.times(-1))

    def times(self, factor: float) -> "Usage":
        """Return so many times this."""
        return Usage(*(factor * value for value in msgspec.structs.astuple(self)))


NOTHING = Usage(0, 0, 0, 0, 0, 0, 0)


class Meter:
    """Reads what the processes `pids`, with their descendants, and `store` have used."""

    def __init__(self, pids: Sequence[int], store: Store) -> None:
        self._pids, self._store = pids, store
        self._own = NOTHING
        readings = [self.read() for _ in range(OWN_READINGS)]
        # A reading is two commands with long answers, which belong to no operation.
        own = readings[-1].minus(readings[0]).times(1 / (OWN_READINGS - 1))
        self._own = msgspec.structs.replace(own, seconds=0, server_us=0, wakes=0, memory=0)

    def read(self) -> Usage:
        """Read what was used so far."""
        info: dict[str, Any] = self._store.client.info()
        store_s = info["used_cpu_user"] + info["used_cpu_sys"]
        return Usage(
            time.monotonic(),
            1e6 * cpu_seconds(self._pids),
            wake_ups(self._pids),
            store_s * 1e6,
            sum(self._store.commands().values()),
            info["total_net_input_bytes"] + info["total_net_output_bytes"],
            info["used_memory"],
        )

    def since(self, before: Usage) -> Usage:
        """Return what was used since a reading."""
        return self.read().minus(before).minus(self._own)
