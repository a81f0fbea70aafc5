"""What a metric is: its name, its labels, and how the workers' numbers become one."""

from itertools import product
from math import inf
from typing import Literal

import msgspec

MetricKind = Literal["counter", "gauge", "histogram"]
Join = Literal["sum", "max", "worker", "host"]

OTHER = "other"
"""The value of a label that stands for all values that the table does not list."""

MICRO = 1e-6


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One metric, named by Prometheus' conventions (prometheus.io/docs/practices/naming).

    `labels`: the values that each label may have. `join`: whether the page adds the numbers of
    the workers, takes the largest, shows a series for each worker, or has one number of its own
    for the whole host. `scale`: the unit of the name, per stored integer. `buckets`: upper limits
    of a histogram, in the unit of the name. `by_client`: it has a label `client_id`, whose values
    are the clients that were seen first, and OTHER.
    """

    name: str
    kind: MetricKind
    help: str
    labels: dict[str, tuple[str, ...]] = {}
    join: Join = "sum"
    scale: float = 1
    buckets: tuple[float, ...] = ()
    by_client: bool = False

    @property
    def label_names(self) -> tuple[str, ...]:
        """All labels that a series on the page has."""
        of_client = ("client_id",) if self.by_client else ()
        of_worker = ("worker",) if self.join == "worker" else ()
        return (*of_client, *of_worker, *self.labels)

    @property
    def series(self) -> list[tuple[str, ...]]:
        """All combinations of the listed values."""
        return list(product(*self.labels.values()))

    @property
    def limits(self) -> tuple[float, ...]:
        """The upper limits of all buckets, the last one infinite; empty if it is no histogram."""
        return (*self.buckets, inf) if self.kind == "histogram" else ()

    @property
    def words(self) -> int:
        """How many numbers of a row it takes. A histogram also has the sum of what it observed."""
        if self.by_client or self.join == "host":
            return 0
        return len(self.series) * (len(self.limits) + 1 if self.limits else 1)


def counter(name: str, text: str, *, scale: float = 1, **labels: tuple[str, ...]) -> Metric:
    """Declare a counter, which the page adds over all workers."""
    return Metric(name=name, kind="counter", help=text, labels=labels, scale=scale)


def client_counter(name: str, text: str) -> Metric:
    """Declare a counter with a series for each client."""
    return Metric(name=name, kind="counter", help=text, by_client=True)


def worker_counter(name: str, text: str, *, scale: float = 1) -> Metric:
    """Declare a counter with a series for each worker."""
    return Metric(name=name, kind="counter", help=text, join="worker", scale=scale)


def gauge(name: str, text: str, join: Join = "sum", *, scale: float = 1) -> Metric:
    """Declare a gauge."""
    return Metric(name=name, kind="gauge", help=text, join=join, scale=scale)


def histogram(name: str, text: str, buckets: tuple[float, ...]) -> Metric:
    """Declare a histogram of durations in s, which are stored in microseconds."""
    return Metric(name=name, kind="histogram", help=text, buckets=buckets, scale=MICRO)
