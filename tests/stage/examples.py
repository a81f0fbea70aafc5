"""How many examples a test runs that has a number of its own."""

from hypothesis import settings

FEW = 15
"""How many a run with the profile `few` has."""


def unless_few(examples: int) -> int:
    """That many, or as few as the run wants of each rule, where it wants few."""
    return examples if settings().max_examples > FEW else FEW
