"""The seconds of a run in groups: as many as a chart or a table has room for.

A long run must not hide a short trouble: a latency of a group is the worst one in it.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Self

from deviceflow.fleet.result import Second

Figure = Callable[[Second], float | None]


class Timeline(NamedTuple):
    """Groups of seconds that follow each other, all equally long but the last. None is empty."""

    groups: Sequence[Sequence[Second]]

    @classmethod
    def of(cls, seconds: Sequence[Second], most: int) -> Self:
        """Make at most `most` groups."""
        size = max(1, -(-len(seconds) // most))
        return cls([seconds[place : place + size] for place in range(0, len(seconds), size)])

    @property
    def times(self) -> list[float]:
        """When each group begins, in s."""
        return [group[0].at_s for group in self.groups]

    def mean(self, figure: Figure) -> list[float | None]:
        """Return the mean of a count over the seconds of each group."""
        return [
            sum(figure(second) or 0.0 for second in group) / len(group) for group in self.groups
        ]

    def worst(self, figure: Figure) -> list[float | None]:
        """Return the greatest of a figure in each group, None where there is none."""
        found = ([figure(second) for second in group] for group in self.groups)
        return [max((v for v in values if v is not None), default=None) for values in found]

    def last(self, figure: Figure) -> list[float | None]:
        """Return the figure at the end of each group."""
        return [figure(group[-1]) for group in self.groups]
