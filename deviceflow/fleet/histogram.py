"""Latencies as counts of buckets, each less than 1 % wide, from 1 us to hours.

Buckets grow with the value, as in HdrHistogram. They are counted in a dictionary, so a second of
a run is small, and those of several processes are added up (docs/decisions/0054).
"""

import msgspec

from deviceflow.fleet.result import Latency

_SUB_BITS = 7
"""A power of two has 2^7 buckets: 1/128 of the value is the width of one."""

_EXACT = 2 << _SUB_BITS
"""Below this, in us, each value has a bucket of its own."""

_US = 1e6
_MS = 1e3


class Histogram(msgspec.Struct):
    """The latencies of one operation. `counts`: of each bucket; `total_s`: their sum."""

    counts: dict[int, int] = {}
    total_s: float = 0.0
    longest_s: float = 0.0

    def record(self, seconds: float) -> None:
        """Count a latency. A negative one counts as 0: clocks may be read in any order."""
        value = int(seconds * _US) if seconds > 0 else 0
        if value >= _EXACT:
            shift = value.bit_length() - _SUB_BITS - 1
            value = (shift << _SUB_BITS) + (value >> shift)
        self.counts[value] = self.counts.get(value, 0) + 1
        self.total_s += seconds
        self.longest_s = max(self.longest_s, seconds)

    def add(self, other: "Histogram") -> None:
        """Add the latencies of another one."""
        for bucket, count in other.counts.items():
            self.counts[bucket] = self.counts.get(bucket, 0) + count
        self.total_s += other.total_s
        self.longest_s = max(self.longest_s, other.longest_s)

    @property
    def longest_ms(self) -> float | None:
        """The longest latency in ms, None without any."""
        return self.longest_s * _MS if self.counts else None

    def percentile_ms(self, fraction: float) -> float | None:
        """Return the upper bound of the bucket with this part of all latencies below it, in ms."""
        return _percentile(sorted(self.counts.items()), fraction, self.longest_s * _MS)

    def latency(self) -> Latency | None:
        """Return the figures, or None if nothing was recorded."""
        count = sum(self.counts.values())
        if not count:
            return None
        ascending, longest_ms = sorted(self.counts.items()), self.longest_s * _MS
        p50, p90, p99, p999 = (
            _percentile(ascending, fraction, longest_ms) or 0.0
            for fraction in (0.5, 0.9, 0.99, 0.999)
        )
        return Latency(
            count=count,
            mean_ms=self.total_s * _MS / count,
            p50_ms=p50,
            p90_ms=p90,
            p99_ms=p99,
            p999_ms=p999,
            max_ms=longest_ms,
            buckets=[(_upper_ms(bucket), number) for bucket, number in ascending],
        )


def _percentile(
    ascending: list[tuple[int, int]], fraction: float, longest_ms: float
) -> float | None:
    wanted, seen = fraction * sum(count for _, count in ascending), 0
    for bucket, count in ascending:
        seen += count
        if seen >= wanted:
            return min(_upper_ms(bucket), longest_ms)
    return None


def _upper_ms(bucket: int) -> float:
    """Return the upper bound of a bucket."""
    if bucket < _EXACT:
        return (bucket + 1) / _MS
    shift = (bucket >> _SUB_BITS) - 1
    mantissa = (bucket & ((1 << _SUB_BITS) - 1)) + (1 << _SUB_BITS)
    return ((mantissa + 1) << shift) / _MS
