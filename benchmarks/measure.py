"""Statistics: spreads, ratios and percentiles. Pure."""

import math
from collections.abc import Sequence
from statistics import median, quantiles

import msgspec


class Spread(msgspec.Struct, frozen=True):
    """The median, extremes and quartiles of several figures."""

    median: float
    low: float
    high: float
    lower_quartile: float
    upper_quartile: float


def spread(values: Sequence[float]) -> Spread:
    """Return the spread of `values`. May raise ValueError: if there are none."""
    if not values:
        raise ValueError("no values to summarise")
    if len(values) == 1:
        value = values[0]
        return Spread(value, value, value, value, value)
    lower, _, upper = quantiles(values, n=4, method="inclusive")
    return Spread(median(values), min(values), max(values), lower, upper)


def ratios(values: Sequence[float], others: Sequence[float]) -> list[float]:
    """Divide `values` by `others`, round by round: both are from the same minute."""
    return [a / b for a, b in zip(values, others, strict=True)]


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that `share` (0 to 1) of `values` do not exceed.

    May raise ValueError: if there are no values.
    """
    if not values:
        raise ValueError("no values to rank")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
