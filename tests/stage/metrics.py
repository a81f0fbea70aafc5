"""The page of metrics as numbers, by the name and labels of each series."""

from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import CollectorRegistry

from deviceflow.ops.metrics.page import MetricsPage
from deviceflow.ops.metrics.recorder import Recorder


def numbers(recorder: Recorder) -> dict[str, float]:
    """What the page of a worker says."""
    registry = CollectorRegistry()
    registry.register(MetricsPage(recorder))
    return read(generate_latest(registry).decode())


def read(page: str) -> dict[str, float]:
    """The numbers on a page: `name{label="value",...}`, labels in the order of the alphabet."""
    return {
        _series(sample.name, sample.labels): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def _series(name: str, labels: dict[str, str]) -> str:
    inside = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    return f"{name}{{{inside}}}" if inside else name
