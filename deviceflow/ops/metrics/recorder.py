"""The recorder: counts what happens in one worker, into its row of the shared memory."""

import time
from bisect import bisect_left
from collections.abc import Iterable

from deviceflow.core.grant import PollAnswer
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.memory import LAYOUT, MetricsMemory
from deviceflow.ops.metrics.metric import OTHER, Metric

LANE = "lane"


class Recorder:
    """Counts in one worker. A value of a label that the table does not list counts as OTHER.

    `lane_polls`: a plain dictionary that the lane counts in, since that costs a poll least. What
    has come to it since the last time is added to the row by `publish`.
    """

    def __init__(self, memory: MetricsMemory) -> None:
        # Without a row of its own (there are always enough) it counts where nobody looks.
        row = memory.claim()
        self.memory = memory
        self._row = MetricsMemory(1).row(0) if row is None else row
        self._slots = {
            (metric.name, series): LAYOUT.starts[metric.name] + number * _width(metric)
            for metric in table.TABLE
            if metric.words
            for number, series in enumerate(metric.series)
        }
        self.lane_polls = dict.fromkeys(PollAnswer, 0)
        self._published = dict.fromkeys(PollAnswer, 0)
        self._clear_gauges()
        # A worker that never reaches the store grows old from its start on.
        self.set(table.MIRROR_AGE, time.monotonic())
        self.count(table.WORKER_STARTS)

    @classmethod
    def alone(cls) -> "Recorder":
        """Return a recorder with a memory of its own, for a worker without a supervisor."""
        return cls(MetricsMemory(1))

    def count(self, metric: Metric, *labels: str, by: float = 1) -> None:
        """Add to a counter; `labels` in the order of the table, `by` in the unit of its name."""
        self._row[self._slot(metric, labels)] += round(by / metric.scale)

    def set(self, metric: Metric, value: float) -> None:
        """Set a gauge, which is never negative, in the unit of its name."""
        self._row[self._slot(metric, ())] = max(0, round(value / metric.scale))

    def observe(self, metric: Metric, seconds: float) -> None:
        """Add a duration to a histogram. A negative one, from two clocks, counts as 0."""
        seconds = max(0.0, seconds)
        start = LAYOUT.starts[metric.name]
        self._row[start + bisect_left(metric.buckets, seconds)] += 1
        self._row[start + len(metric.limits)] += round(seconds / metric.scale)

    def count_client(self, metric: Metric, client_id: str) -> None:
        """Add 1 to a client's counter. Only for clients that this server knows."""
        self._row[LAYOUT.starts[metric.name] + self.memory.place_of(client_id)] += 1

    def count_lane_fault(self, answer: PollAnswer, client_id: bytes) -> None:
        """Count by client what the lane answers a client that polls wrongly."""
        self.count_poll_fault(answer, client_id.decode())

    def count_poll_fault(self, outcome: str, client_id: str) -> None:
        """Count by client a poll that came too fast, or whose code is not good."""
        if outcome == PollAnswer.SLOW_DOWN:
            self.count_client(table.CLIENT_SLOW_DOWNS, client_id)
        elif outcome == PollAnswer.INVALID_GRANT:
            self.count_client(table.CLIENT_INVALID_GRANTS, client_id)

    def publish(self) -> None:
        """Add to the row what the lane has counted since the last time."""
        for answer, total in self.lane_polls.items():
            new = total - self._published[answer]
            if new:
                self.count(table.POLLS, answer, LANE, by=new)
                self._published[answer] = total

    def close(self) -> None:
        """Leave the row to the next worker: the counters stay, the states end."""
        self.publish()
        self._clear_gauges()

    def _clear_gauges(self) -> None:
        for metric in table.TABLE:
            if metric.kind == "gauge" and metric.words:
                self.set(metric, 0)

    def _slot(self, metric: Metric, labels: tuple[str, ...]) -> int:
        slot = self._slots.get((metric.name, labels))
        if slot is None:
            slot = self._slots[metric.name, tuple(_listed(metric, labels))]
        return slot


def _listed(metric: Metric, labels: tuple[str, ...]) -> Iterable[str]:
    for values, label in zip(metric.labels.values(), labels, strict=True):
        yield label if label in values else OTHER


def _width(metric: Metric) -> int:
    return len(metric.limits) + 1 if metric.limits else 1
