"""The recorder: counts what happens in one worker, into its row of the shared memory."""

import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable

from deviceflow.core.grant import PollAnswer
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.memory import LAYOUT, MetricsMemory
from deviceflow.ops.metrics.metric import OTHER, Metric

LANE = "lane"

_FAULTS: dict[str, Metric] = {
    PollAnswer.SLOW_DOWN: table.CLIENT_SLOW_DOWNS,
    PollAnswer.INVALID_GRANT: table.CLIENT_INVALID_GRANTS,
}


class Recorder:
    """Counts in one worker. A value of a label that the table does not list counts as OTHER.

    `lane_polls` and `lane_polls_by_client`: plain dictionaries that the lane counts in, since that
    costs a poll least. `publish` moves what is in them to the row.
    """

    def __init__(self, memory: MetricsMemory) -> None:
        # Without a row of its own (there are always enough) it counts in a row that is never read.
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
        self.lane_polls_by_client: dict[PollAnswer, defaultdict[bytes, int]] = {
            answer: defaultdict(int) for answer in PollAnswer
        }
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

    def read(self, metric: Metric, *labels: str) -> float:
        """Return a counter or a gauge of this worker's row."""
        return self._row[self._slot(metric, labels)] * metric.scale

    def set(self, metric: Metric, value: float) -> None:
        """Set a gauge, which is never negative, in the unit of its name."""
        self._row[self._slot(metric, ())] = max(0, round(value / metric.scale))

    def observe(self, metric: Metric, seconds: float) -> None:
        """Add a duration to a histogram. A negative one, from two clocks, counts as 0."""
        seconds = max(0.0, seconds)
        start = LAYOUT.starts[metric.name]
        self._row[start + bisect_left(metric.buckets, seconds)] += 1
        self._row[start + len(metric.limits)] += round(seconds / metric.scale)

    def count_client(self, metric: Metric, client_id: str, by: int = 1) -> None:
        """Add to a client's counter. Only for clients that this server knows."""
        self._row[LAYOUT.starts[metric.name] + self.memory.place_of(client_id)] += by

    def count_poll_fault(self, outcome: str, client_id: str, by: int = 1) -> None:
        """Count by client polls that came too fast, or whose codes are not good."""
        metric = _FAULTS.get(outcome)
        if metric is not None:
            self.count_client(metric, client_id, by)

    def publish(self) -> None:
        """Move to the row what the lane has counted since the last time."""
        for answer, number in self.lane_polls.items():
            if number:
                self.lane_polls[answer] = 0
                self.count(table.POLLS, answer, LANE, by=number)
                by_client = self.lane_polls_by_client[answer]
                for client_id, of_client in by_client.items():
                    self.count_poll_fault(answer, client_id.decode(), of_client)
                by_client.clear()

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
