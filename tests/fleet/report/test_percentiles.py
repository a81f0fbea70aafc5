"""Curves by percentile."""

import msgspec
import pytest

from deviceflow.fleet.report.percentiles import curves, draw_percentiles, percentile_words
from deviceflow.fleet.result import Latency
from tests.stage.fleet import RESULT


def latency(*buckets: tuple[float, int]) -> Latency:
    known = next(iter(RESULT.latencies.values()))
    return msgspec.structs.replace(known, buckets=list(buckets))


def value_at(nines: float, *buckets: tuple[float, int]) -> float | None:
    found = curves({"poll": latency(*buckets)})
    return found.values["poll"][max(i for i, at in enumerate(found.places) if at <= nines)]


@pytest.mark.parametrize(("nines", "ms"), [(0, 1), (0.9, 1), (1.01, 5), (2.01, 80), (3, 80)])
def test_each_nine_has_the_same_room(nines: float, ms: float) -> None:
    assert value_at(nines, (1.0, 900), (5.0, 90), (80.0, 10)) == ms


def test_a_curve_ends_with_its_slowest_request() -> None:
    found = curves({"poll": latency((1.0, 9), (70.0, 1)), "start": latency((2.0, 10_000))})
    assert [value for value in found.values["poll"] if value is not None][-1] == 70
    ends = [
        max(at for at, value in zip(found.places, values, strict=True) if value is not None)
        for values in found.values.values()
    ]
    assert ends == [1, 4]


def test_the_axis() -> None:
    assert [percentile_words(nines) for nines in (1, 2, 3)] == ["p90", "p99", "p99.9"]
    assert [words for _, words in curves({}).ticks] == ["p0", "p90", "p99"]


def test_without_buckets_nothing_is_drawn() -> None:
    legend, drawing = draw_percentiles("Polls", {"poll": latency()})
    assert "poll" not in legend
    assert "No figures" in drawing
