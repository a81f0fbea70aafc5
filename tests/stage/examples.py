"""How many examples a state machine of hypothesis runs."""

from hypothesis import settings


def at_most(examples: int) -> int:
    """That many, or fewer where the profile of the run wants fewer of all rules."""
    return min(examples, settings().max_examples)
