"""How many examples a test with random input runs, where the number of its profile is too much."""

from hypothesis import settings

FEW = 15
"""How many a run with the profile `few` has."""


def at_most(examples: int) -> int:
    """That many, or fewer where the profile of the run wants fewer of all rules."""
    return min(examples, settings().max_examples)


def unless_few(examples: int) -> int:
    """That many, or as few as the run wants of each rule, where it wants few."""
    return examples if settings().max_examples > FEW else FEW
