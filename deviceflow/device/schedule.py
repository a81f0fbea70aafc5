"""When a device may poll next. Pure: the rules of RFC 8628 3.5, and of held polls.

- Two polls are never closer than the interval in force.
- `slow_down` adds five seconds for this and all later polls; a larger interval in the answer wins.
- No answer at all doubles the pause each time, up to a minute (or twice the interval, if that is
  longer); a share of chance on top keeps a fleet from coming back in step. An answer ends that.
- A server that asks for more patience (`Retry-After`) gets it.
- A poll that the server held for the interval or longer may be followed by the next one at once.
"""

from collections.abc import Callable

SLOW_DOWN_S = 5
SHORTEST_INTERVAL_S = 1
LONGEST_PAUSE_S = 60
# The pause grows by up to this share of itself.
_JITTER = 0.25


class Schedule:
    """The pace of one grant's polls; each method takes one answer in and returns the pause in s.

    `max_wait` is how long the server offers to hold a poll, in seconds; 0 when it does not.
    `jitter` returns a number from 0 to 1.
    """

    def __init__(self, interval: float, max_wait: int, jitter: Callable[[], float]) -> None:
        self.interval = max(float(interval), SHORTEST_INTERVAL_S)
        self._max_wait = max_wait
        self._jitter = jitter
        self._failures = 0

    def before_first(self) -> float:
        """Return the pause before the first poll: none if it will be held, else the interval."""
        return 0.0 if self._max_wait else self.interval

    def wait(self, remaining: float) -> int:
        """Return how long to ask the server to hold a poll sent now, in s; 0: do not ask."""
        return max(0, min(self._max_wait, int(remaining)))

    def pending(self, took: float, *, held: bool) -> float:
        """Return the pause after `authorization_pending`; `took` is how long its answer took."""
        self._failures = 0
        return max(0.0, self.interval - took) if held else self.interval

    def slow_down(self, asked: float | None, retry_after: float | None) -> float:
        """Return the pause after `slow_down`; `asked` is the interval in its body."""
        self._failures = 0
        self.interval = max(self.interval + SLOW_DOWN_S, asked or 0.0)
        return max(self.interval, retry_after or 0.0)

    def unanswered(self, took: float, retry_after: float | None) -> float:
        """Return the pause after no verdict; `took` is how long it took to find out."""
        if took >= self.interval:
            # Something between here and the server may cut long requests short: ask for less.
            self._max_wait //= 2
        self._failures += 1
        if retry_after is not None:
            return max(self.interval, retry_after)
        doubled = self.interval * 2.0 ** min(self._failures, 16)
        pause = min(doubled, max(LONGEST_PAUSE_S, 2 * self.interval))
        return pause * (1 + _JITTER * self._jitter())
