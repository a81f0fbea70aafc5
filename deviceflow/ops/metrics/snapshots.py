"""Pages of metrics, read back: the numbers of hosts at a time, and what changed between two times.

Pure: a page is text that somebody has fetched, or what is collected for it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from prometheus_client.metrics_core import Metric as Family
from prometheus_client.parser import text_string_to_metric_families

from deviceflow.ops.metrics.metric import Metric


class Sample(NamedTuple):
    """One number of one host. `labels` has the host as `host`, and for buckets their limit `le`."""

    name: str
    labels: Mapping[str, str]
    value: float

    def has(self, labels: Mapping[str, str]) -> bool:
        """Return whether it has all these labels."""
        return all(self.labels.get(label) == value for label, value in labels.items())


@dataclass(frozen=True)
class Snapshot:
    """The numbers of some hosts, read at the time `at` (s)."""

    at: float
    samples: tuple[Sample, ...]

    @classmethod
    def of(cls, at: float, pages: Mapping[str, str]) -> "Snapshot":
        """Read `pages`, each under the name of its host. Raises ValueError: it is no such page."""
        return cls(
            at, tuple(sample for host, page in pages.items() for sample in _read(host, page))
        )

    @classmethod
    def of_host(cls, at: float, host: str, families: Iterable[Family]) -> "Snapshot":
        """Take the numbers of one host as its page collects them, without the text between."""
        return cls(at, tuple(_samples(host, families)))

    @property
    def hosts(self) -> set[str]:
        """The names of the hosts."""
        return {sample.labels["host"] for sample in self.samples}

    def values(self, metric: Metric, **labels: str) -> list[float]:
        """Return the values of all series of a metric that have these labels."""
        return [sample.value for sample in self._of(metric.name) if sample.has(labels)]

    def total(self, metric: Metric, **labels: str) -> float:
        """Return their sum."""
        return sum(self.values(metric, **labels))

    def most(self, metric: Metric, **labels: str) -> float:
        """Return the largest of them, 0 if there is none."""
        return max(self.values(metric, **labels), default=0.0)

    def seen(self, metric: Metric, label: str) -> list[str]:
        """Return the values that a label has, in their order on the pages."""
        return list(dict.fromkeys(sample.labels[label] for sample in self._of(metric.name)))

    def buckets(self, metric: Metric) -> dict[float, float]:
        """Return how many observations of a histogram are at most as large as each limit."""
        counts: dict[float, float] = {}
        for sample in self._of(f"{metric.name}_bucket"):
            limit = float(sample.labels["le"])
            counts[limit] = counts.get(limit, 0.0) + sample.value
        return counts

    def _of(self, name: str) -> Iterable[Sample]:
        return (sample for sample in self.samples if sample.name == name)


@dataclass(frozen=True)
class Difference:
    """What happened between two snapshots of the same hosts."""

    before: Snapshot
    after: Snapshot

    def rate(self, metric: Metric, **labels: str) -> float:
        """Return how often something happened in a second.

        A host that one of the snapshots lacks does not count. A counter of a host that has become
        smaller began anew: the server was started.
        """
        seconds = self.after.at - self.before.at
        grown = 0.0
        for host in {labels["host"]} if "host" in labels else self.before.hosts & self.after.hosts:
            of = {**labels, "host": host}
            before, after = self.before.total(metric, **of), self.after.total(metric, **of)
            grown += after - before if after >= before else after
        return grown / seconds if seconds > 0 else 0.0

    def rates(self, metric: Metric, label: str) -> dict[str, float]:
        """Return the rates by the values of a label, without those that are 0; largest first."""
        rates = {
            value: self.rate(metric, **{label: value}) for value in self.after.seen(metric, label)
        }
        ordered = sorted(rates.items(), key=lambda item: -item[1])
        return {value: rate for value, rate in ordered if rate}

    def quantile(self, metric: Metric, part: float) -> float | None:
        """Return the duration (s) that this part of the new observations did not exceed.

        As PromQL's histogram_quantile: evenly spread within a bucket. None without observations.
        """
        before, after = self.before.buckets(metric), self.after.buckets(metric)
        counts = {limit: count - before.get(limit, 0.0) for limit, count in sorted(after.items())}
        total = counts.get(inf, 0.0)
        if total <= 0:
            return None
        wanted, lower, below = total * part, 0.0, 0.0
        for limit, count in counts.items():
            if count >= wanted:
                inside = (wanted - below) / (count - below)
                return lower if limit == inf else lower + (limit - lower) * inside
            lower, below = limit, count
        return lower


def _read(host: str, page: str) -> Iterable[Sample]:
    yield from _samples(host, text_string_to_metric_families(page))


def _samples(host: str, families: Iterable[Family]) -> Iterable[Sample]:
    for family in families:
        for sample in family.samples:
            yield Sample(sample.name, {**sample.labels, "host": host}, sample.value)
