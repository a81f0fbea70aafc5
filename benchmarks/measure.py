"""Statistics: spreads, ratios and percentiles. Pure."""

import math
from collections.abc import Sequence
from statistics import median, quantiles

import msgspec


class Spread(msgspec.Struct, frozen=True):
    """Several figures of one thing: median, extremes and quartiles."""

    median: float
    low: float
    high: float
    lower_quartile: float
    upper_quartile: float


def spread(values: Sequence[float]) -> Spread:
    """The spread of at least one value. Raises ValueError for none."""
    if not values:
        raise ValueError("no values to summarise")
    if len(values) == 1:
        only = values[0]
        return Spread(only, only, only, only, only)
    lower, _, upper = quantiles(values, n=4, method="inclusive")
    return Spread(median(values), min(values), max(values), lower, upper)


def ratios(values: Sequence[float], others: Sequence[float]) -> list[float]:
    """Round by round, `values` over `others`: both saw the same minute of the machine."""
    return [a / b for a, b in zip(values, others, strict=True)]


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that is not exceeded by `share` (0 to 1) of `values`.

    Raises ValueError for no values.
    """
    if not values:
        raise ValueError("no values to rank")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
