"""Latencies in buckets: percentiles are at most 1 % too high, and sums of histograms are exact."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from deviceflow.fleet.histogram import Histogram

SECONDS = st.lists(st.floats(min_value=0, max_value=4000), min_size=1, max_size=60)


def recorded(values: list[float]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


@given(SECONDS, st.sampled_from([0.5, 0.9, 0.99, 0.999]))
def test_a_percentile_is_nearly_the_value(values: list[float], fraction: float) -> None:
    found = recorded(values).percentile_ms(fraction)
    rank = next(place for place in range(1, len(values) + 1) if place >= fraction * len(values))
    true = sorted(values)[rank - 1] * 1000
    assert found is not None
    assert true - 0.001 <= found <= true * 1.0079 + 0.002


@given(SECONDS, SECONDS)
def test_histograms_add_up(some: list[float], more: list[float]) -> None:
    both = recorded(some)
    both.add(recorded(more))
    assert both.counts == recorded(some + more).counts
    assert both.longest_s == max(some + more)


@given(SECONDS)
def test_buckets_ascend_and_hold_all(values: list[float]) -> None:
    latency = recorded(values).latency()
    assert latency is not None
    assert sum(count for _, count in latency.buckets) == latency.count == len(values)
    assert [upper for upper, _ in latency.buckets] == sorted({u for u, _ in latency.buckets})
    assert latency.p50_ms <= latency.p90_ms <= latency.p999_ms <= latency.max_ms


def test_nothing_has_no_figures() -> None:
    empty = Histogram()
    assert (empty.latency(), empty.percentile_ms(0.5), empty.longest_ms) == (None, None, None)


def test_a_clock_that_goes_back_counts_as_no_time() -> None:
    assert recorded([-0.5]).counts == {0: 1}


def test_it_goes_from_one_process_to_another() -> None:
    histogram = recorded([0.001, 2.0])
    sent = msgspec.json.encode(histogram)
    assert msgspec.json.decode(sent, type=Histogram) == histogram
