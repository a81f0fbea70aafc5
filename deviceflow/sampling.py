"""What is sampled in a worker: the states of its rooms, for the metrics."""

import sys
from dataclasses import dataclass

from deviceflow.oauth.poll.door import Door
from deviceflow.oauth.routes import Polling
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.ops.metrics.sampler import Sampler
from deviceflow.parts import Parts
from deviceflow.store.errors import StoreUnavailable


@dataclass
class Connections:
    """The connections of a worker. `door`: set by the worker when it has one."""

    door: Door | None = None

    def __len__(self) -> int:
        """Return how many are open."""
        return len(self.door.connections) if self.door else 0

    def limit(self) -> int:
        """Return how many there may be; 0 before there is a door, or without a limit."""
        limit = self.door.connections.limits.all if self.door else 0
        return limit if limit < sys.maxsize else 0

    def count_closed(self, recorder: Recorder) -> None:
        """Count those that the server has given up since the last time."""
        closed = self.door.connections.take_closed() if self.door else {}
        for cause, number in closed.items():
            recorder.count(table.CONNECTIONS_CLOSED, cause, by=number)


def sampler(parts: Parts, polls: Polling, connections: Connections) -> Sampler:
    """Make the sampler of a worker."""
    feed, watch = parts.feed, parts.connection.watch

    async def live_grants() -> int | None:
        try:
            return await parts.grants.count_live()
        except StoreUnavailable:
            return None

    def on_tick() -> None:
        parts.pushes.give_up_lost()
        connections.count_closed(parts.recorder)
        parts.intervals.count_slowed()

    return Sampler(
        recorder=parts.recorder,
        gauges=(
            (table.GRANTS_DECIDED, parts.mirror.__len__),
            (table.MIRROR_DECISIONS, parts.mirror.__len__),
            (table.HELD_POLLS, polls.held.__len__),
            (table.HELD_POLLS_LIMIT, lambda: parts.settings.device.max_held),
            (table.CONNECTIONS, connections.__len__),
            (table.CONNECTIONS_LIMIT, connections.limit),
            (table.SIGN_INS_WAITING, lambda: parts.users.hashing.waiting),
            (table.LOAD_INTERVAL, lambda: parts.intervals.now.seconds),
            (table.USUAL_INTERVAL, lambda: parts.intervals.bounds.shortest),
            (table.STORE_IN_USE, lambda: watch.in_flight if watch else 0),
            (table.STORE_POOL, lambda: parts.settings.redis.max_connections),
            (table.STORE_REACHABLE, lambda: bool(feed.reachable)),
            (table.STORE_WRITABLE, lambda: bool(feed.reachable) and feed.refusal is None),
            (table.STORE_MEMORY, lambda: parts.load.used_bytes),
            (table.STORE_MEMORY_LIMIT, lambda: parts.load.max_bytes),
            (table.STARTS_PAUSED, lambda: bool(parts.load.state)),
            (table.PUSH_SUBSCRIBED, lambda: feed.subscribed),
        ),
        live_grants=live_grants,
        on_tick=on_tick,
    )
