"""What is sampled in a worker: the states of its rooms, for the metrics."""

from collections.abc import Callable
from dataclasses import dataclass

from deviceflow.oauth.routes import Polling
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.sampler import Sampler
from deviceflow.parts import Parts
from deviceflow.store.errors import StoreUnavailable


@dataclass
class Connections:
    """The connections of a worker. `counted_by`: set by the worker when it has its door."""

    counted_by: Callable[[], int] = int

    def __len__(self) -> int:
        """Return how many are open."""
        return self.counted_by()


def sampler(parts: Parts, polls: Polling, connections: Connections) -> Sampler:
    """Make the sampler of a worker."""
    feed, watch = parts.feed, parts.connection.watch

    async def live_grants() -> int | None:
        try:
            return await parts.grants.count_live()
        except StoreUnavailable:
            return None

    return Sampler(
        recorder=parts.recorder,
        gauges=(
            (table.GRANTS_DECIDED, parts.mirror.__len__),
            (table.MIRROR_DECISIONS, parts.mirror.__len__),
            (table.HELD_POLLS, polls.held.__len__),
            (table.HELD_POLLS_LIMIT, lambda: parts.settings.device.max_held),
            (table.CONNECTIONS, connections.__len__),
            (table.STORE_IN_USE, lambda: watch.in_flight if watch else 0),
            (table.STORE_POOL, lambda: parts.settings.redis.max_connections),
            (table.STORE_REACHABLE, lambda: bool(feed.reachable)),
            (table.STORE_WRITABLE, lambda: bool(feed.reachable) and feed.refusal is None),
            (table.PUSH_SUBSCRIBED, lambda: feed.subscribed),
        ),
        live_grants=live_grants,
        on_tick=parts.pushes.give_up_lost,
    )
