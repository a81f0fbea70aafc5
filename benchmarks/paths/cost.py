"""What requests cost: CPU time of the server, commands and bytes of the store."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.processes import cpu_seconds, family
from benchmarks.stores import Store

BACKGROUND_COMMANDS_PER_S = 6
"""What a worker does by itself: a catch-up of four commands, a look at the load, a sign of life."""


THREADS_ENDED = 2
"""If the time that includes ended threads is so many times the exact one, it counts."""


class Cost(NamedTuple):
    """The costs of a request: us of CPU, commands that the store ran, bytes to it and from it.

    The commands of scripts count, too.
    """

    server_us: float
    commands: float
    store_bytes: float


class Meter:
    """The costs between the begin and the end of a block."""

    cost: Cost

    def __init__(self, pids: Sequence[int], store: Store | None) -> None:
        self._pids = pids
        self._store = store

    @contextmanager
    def measuring(self, requests: int) -> Iterator[None]:
        """Measure the block, in which so many requests are answered."""
        began, before = time.monotonic(), self._read()
        exact, coarse = cpu_ns(self._pids), cpu_seconds(self._pids)
        yield
        exact, coarse = cpu_ns(self._pids) - exact, cpu_seconds(self._pids) - coarse
        # Threads that have ended, such as those that hash a password, are in the coarse time only.
        used = coarse * 1e9 if coarse * 1e9 > THREADS_ENDED * exact else exact
        after = self._read()
        took = time.monotonic() - began
        commands = after[0] - before[0] - BACKGROUND_COMMANDS_PER_S * took
        self.cost = Cost(
            used / 1000 / requests,
            max(0.0, commands) / requests,
            (after[1] - before[1]) / requests,
        )

    def _read(self) -> tuple[int, int]:
        if self._store is None:
            return 0, 0
        stats: dict[str, Any] = self._store.client.info("stats")
        moved = stats["total_net_input_bytes"] + stats["total_net_output_bytes"]
        return sum(self._store.commands().values()), int(moved)


def cpu_ns(pids: Sequence[int]) -> int:
    """Return the CPU time of `pids` and their descendants, in ns, as the scheduler has it."""
    total = 0
    for root in pids:
        for pid in family(root):
            for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
                with suppress(OSError):
                    total += int(path.read_text().split()[0])
    return total
