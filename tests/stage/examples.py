"""How many examples a test with random input runs, where the number of its profile is too much."""

from hypothesis import settings


def at_most(examples: int) -> int:
    """That many, or fewer where the profile of the run wants fewer of all rules."""
    return min(examples, settings().max_examples)
