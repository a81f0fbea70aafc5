"""The times at which a device polls. Pure: the rules of RFC 8628 3.5, and of held polls.

- Two polls are never closer than the interval in force.
- `slow_down` adds five seconds to the interval, for this and all later polls. A longer interval in
  the answer is used instead.
- Without an answer, the pause doubles each time, up to a minute (or twice the interval, if that is
  longer). A random part is added, so that the devices of a fleet do not all return at the same
  moment. The next answer resets the pause.
- A longer `Retry-After` of the server is respected.
- If the server held a poll for the interval or longer, the next poll may follow at once.
- A request for codes that the server cannot serve now (429, 5xx) is sent again after `Retry-After`,
  or else after 5 s, 10 s, 20 s and so on, with a random part.
"""

from collections.abc import Callable

SLOW_DOWN_S = 5
UNAVAILABLE_S = 5
SHORTEST_INTERVAL_S = 1
LONGEST_PAUSE_S = 60
# The random part of a pause, at most: a fraction of the pause.
_JITTER = 0.25


def before_asking_again(
    failures: int, retry_after: float | None, jitter: Callable[[], float]
) -> float:
    """Return the pause before codes are requested again, after so many failures. All in s."""
    if retry_after is not None:
        return max(retry_after, SHORTEST_INTERVAL_S)
    pause = min(UNAVAILABLE_S * 2.0 ** (failures - 1), LONGEST_PAUSE_S)
    return pause * (1 + _JITTER * jitter())


class Schedule:
    """The pace of a grant's polls. There is a method for each answer, which returns a pause in s.

    `max_wait`: the longest time for which the server holds a poll, in seconds; 0 if it holds none.
    `jitter` returns a number from 0 to 1.
    """

    def __init__(self, interval: float, max_wait: int, jitter: Callable[[], float]) -> None:
        self.interval = max(float(interval), SHORTEST_INTERVAL_S)
        self._max_wait = max_wait
        self._jitter = jitter
        self._failures = 0

    def before_first(self) -> float:
        """Return the pause before the first poll: 0 if the server holds it, else the interval."""
        return 0.0 if self._max_wait else self.interval

    def wait(self, remaining: float) -> int:
        """Return the N of `Prefer: wait=N` for a poll that is sent now; 0 for no such header."""
        return max(0, min(self._max_wait, int(remaining)))

    def pending(self, took: float, *, held: bool) -> float:
        """Return the pause after `authorization_pending`. `took`: how long the answer took."""
        self._failures = 0
        return max(0.0, self.interval - took) if held else self.interval

    def slow_down(self, interval: float | None, retry_after: float | None) -> float:
        """Return the pause after `slow_down`. `interval`: the interval in its body."""
        self._failures = 0
        self.interval = max(self.interval + SLOW_DOWN_S, interval or 0.0)
        return max(self.interval, retry_after or 0.0)

    def unanswered(self, took: float, retry_after: float | None) -> float:
        """Return the pause after no answer. `took`: the time until that was known."""
        if took >= self.interval:
            # A proxy in between may cut long requests short, so use a shorter hold.
            self._max_wait //= 2
        self._failures += 1
        if retry_after is not None:
            return max(self.interval, retry_after)
        doubled = self.interval * 2.0 ** min(self._failures, 16)
        pause = min(doubled, max(LONGEST_PAUSE_S, 2 * self.interval))
        return pause * (1 + _JITTER * self._jitter())
