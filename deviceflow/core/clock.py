"""The types of clocks. Rules take a time or a clock as an argument."""

from collections.abc import Callable

Clock = Callable[[], float]
"""A function that returns the time in s since 1970-01-01T00:00:00Z."""

SteadyClock = Callable[[], float]
"""A function that returns the time in s since an unknown moment, and that nothing sets.

It is for differences between two readings. All processes of a host read the same clock.
"""
