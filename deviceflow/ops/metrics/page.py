"""GET /metrics, on the admin port: the numbers of all workers of this host, on one page.

Whichever worker answers, the page is the same, because the counts are in shared memory. The text
is made by prometheus-client, in Prometheus' format or in OpenMetrics, as the reader asks.
"""

import platform
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from aiohttp import web
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector, CollectorRegistry

from deviceflow import __version__
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.memory import LAYOUT, MetricsMemory
from deviceflow.ops.metrics.metric import Metric
from deviceflow.ops.metrics.recorder import Recorder

AGES = frozenset({table.MIRROR_AGE.name, table.HEARTBEAT_AGE.name})
"""Gauges of which a row has the moment (steady clock), and the page shows the age."""

Labels = tuple[str, ...]


class Row(NamedTuple):
    """The counts of one worker; `number` is its name on the page."""

    number: int
    counts: memoryview

    def is_running(self) -> bool:
        """Return whether a worker has the row: it writes when its event loop last came round."""
        return bool(self.counts[LAYOUT.starts[table.HEARTBEAT_AGE.name]])

    def was_used(self) -> bool:
        """Return whether a worker has ever had the row."""
        return bool(self.counts[LAYOUT.starts[table.WORKER_STARTS.name]])


class MetricsPage(Collector):
    """Reads the rows, and answers with the page."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._memory: MetricsMemory = recorder.memory
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def routes(self) -> list[web.RouteDef]:
        """List the route."""
        return [web.get("/metrics", self.show)]

    async def show(self, request: web.Request) -> web.Response:
        """Answer with the page."""
        self._recorder.publish()
        try:
            encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        except (TypeError, ValueError):
            # The library compares what the header calls a version, whatever it is.
            encode, content_type = choose_encoder("")
        return web.Response(body=encode(self._registry), headers={"Content-Type": content_type})

    def now(self) -> Iterator[Family]:
        """Yield every metric, with what this worker's lane has counted up to now."""
        self._recorder.publish()
        return self.collect()

    def collect(self) -> Iterator[Family]:
        """Yield every metric of the table."""
        rows = [Row(number, self._memory.row(number)) for number in range(self._memory.rows)]
        rows = [row for row in rows if row.was_used()]
        clients = self._memory.clients()
        for metric in table.TABLE:
            if metric.join == "host":
                yield _of_host(metric, rows)
            elif metric.by_client:
                yield _by_client(metric, rows, clients)
            elif metric.kind == "histogram":
                yield _histogram(metric, rows)
            else:
                yield _simple(metric, rows)


def _simple(metric: Metric, rows: list[Row]) -> Family:
    """Return a counter or a gauge."""
    family = _family(metric)
    start = LAYOUT.starts[metric.name]
    if metric.kind == "gauge":
        rows = [row for row in rows if row.is_running()]
    for number, series in enumerate(metric.series):
        values = [_value(metric, row.counts[start + number]) for row in rows]
        if metric.join == "worker":
            for row, value in zip(rows, values, strict=True):
                family.add_metric([str(row.number), *series], value)
        else:
            family.add_metric(
                series, max(values, default=0) if metric.join == "max" else sum(values)
            )
    return family


def _value(metric: Metric, stored: int) -> float:
    if metric.name in AGES:
        return max(0.0, time.monotonic() - stored * metric.scale)
    return stored * metric.scale


def _by_client(metric: Metric, rows: list[Row], clients: list[str]) -> Family:
    """Return a counter by client; of a client that it never counted, it has no series."""
    family = _family(metric)
    start = LAYOUT.starts[metric.name]
    places = [*range(len(clients) - 1), LAYOUT.other_client]
    for place, client_id in zip(places, clients, strict=True):
        total = sum(row.counts[start + place] for row in rows)
        if total:
            family.add_metric([client_id], total)
    return family


def _histogram(metric: Metric, rows: list[Row]) -> Family:
    family = HistogramMetricFamily(metric.name, metric.help)
    start, limits = LAYOUT.starts[metric.name], metric.limits
    total, buckets = 0, []
    for number, limit in enumerate(limits):
        total += sum(row.counts[start + number] for row in rows)
        buckets.append((_limit_text(limit), float(total)))
    observed = sum(row.counts[start + len(limits)] for row in rows)
    family.add_metric([], buckets, observed * metric.scale)
    return family


def _limit_text(limit: float) -> str:
    return "+Inf" if limit == float("inf") else str(float(limit))


def _of_host(metric: Metric, rows: list[Row]) -> Family:
    """Return a gauge that the host has one of."""
    if metric is table.BUILD_INFO:
        labels = {"version": __version__, "python": platform.python_version()}
        family = GaugeMetricFamily(metric.name, metric.help, labels=list(labels))
        family.add_metric(list(labels.values()), 1)
        return family
    family = GaugeMetricFamily(metric.name, metric.help)
    running = [row for row in rows if row.is_running()]
    family.add_metric([], len(running) if metric is table.WORKERS else _pending(running))
    return family


def _pending(running: Iterable[Row]) -> int:
    """Return how many grants are pending: those that live less those that are decided."""
    live, decided = (
        max((row.counts[LAYOUT.starts[metric.name]] for row in running), default=0)
        for metric in (table.GRANTS_LIVE, table.GRANTS_DECIDED)
    )
    return max(0, live - decided)


def _family(metric: Metric) -> CounterMetricFamily | GaugeMetricFamily:
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    return kind(metric.name, metric.help, labels=metric.label_names)
