"""What requests cost: CPU time of the server, commands and bytes of the store."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from benchmarks.meter import Meter
from benchmarks.stores import Store

BACKGROUND_COMMANDS_PER_S = 6
"""What a worker does by itself: a catch-up of four commands, a look at the load, a sign of life."""


class Cost(NamedTuple):
    """The costs of a request: us of CPU, commands that the store ran, bytes to it and from it.

    The commands of scripts count, too.
    """

    server_us: float
    commands: float
    store_bytes: float


class RequestMeter:
    """The costs of a request, of those that are answered within a block."""

    cost: Cost

    def __init__(self, pids: Sequence[int], store: Store) -> None:
        self._meter = Meter(pids, store)

    @contextmanager
    def measuring(self, requests: int) -> Iterator[None]:
        """Measure the block, in which so many requests are answered."""
        before = self._meter.read()
        yield
        used = self._meter.since(before)
        commands = used.commands - BACKGROUND_COMMANDS_PER_S * used.seconds
        self.cost = Cost(
            used.server_us / requests,
            max(0.0, commands) / requests,
            max(0.0, used.store_bytes) / requests,
        )
