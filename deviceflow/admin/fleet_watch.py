"""What this host does now: the figures between two looks at the metrics that all workers share."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from deviceflow.core.clock import Clock
from deviceflow.ops.metrics.fleet import Fleet, fleet
from deviceflow.ops.metrics.page import MetricsPage
from deviceflow.ops.metrics.snapshots import Difference, Snapshot

SHORTEST_RATE_S = 1.0
LONGEST_RATE_S = 10.0
LOOKS_APART_S = 0.5
"""How far apart the looks are that are kept, however many callers there are."""

LOOKS_KEPT = 20

_HOST = "here"


@dataclass(frozen=True, kw_only=True)
class FleetWatch:
    """Looks at the metrics when somebody asks. Rates are of the last 1 to 10 seconds.

    The first answer takes a second. For a caller that asks regularly, the answers come at once.
    """

    page: MetricsPage
    clock: Clock
    _looks: deque[Snapshot] = field(default_factory=lambda: deque(maxlen=LOOKS_KEPT), init=False)

    async def now(self) -> Fleet:
        """Return the figures."""
        after = self._look()
        before = self._before(after)
        if before is None:
            await asyncio.sleep(SHORTEST_RATE_S)
            before, after = after, self._look()
        return fleet(Difference(before, after))

    def _look(self) -> Snapshot:
        look = Snapshot.of_host(self.clock(), _HOST, self.page.now())
        if not self._looks or abs(look.at - self._looks[-1].at) >= LOOKS_APART_S:
            self._looks.append(look)
        return look

    def _before(self, after: Snapshot) -> Snapshot | None:
        """Return the newest earlier look that is far enough back, None if there is none."""
        ages = ((after.at - look.at, look) for look in reversed(self._looks))
        return next((look for age, look in ages if SHORTEST_RATE_S <= age <= LONGEST_RATE_S), None)
