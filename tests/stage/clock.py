"""A clock that a test sets."""


class Clock:
    """The time in s since the epoch: `now` until a test sets or advances it."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


def standing_still() -> float:
    """The clock for looks at the store's load.

    A test's clock may jump during two looks. Then the store would seem slow, and new grants would
    be refused.
    """
    return 0.0
