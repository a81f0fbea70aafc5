"""The type of a clock. Rules take a time or a clock as an argument."""

from collections.abc import Callable

Clock = Callable[[], float]
"""A function that returns the time in s since 1970-01-01T00:00:00Z."""
