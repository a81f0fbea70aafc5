"""Thinned log lines: enough to find the cause of a flood, without being one."""

from deviceflow.core.clock import Clock

WINDOW_S = 60
KINDS_PER_WINDOW = 100
"""Cap on kinds per window. Beyond it, all are counted as one kind."""

EventKind = tuple[str, ...]


class ThinnedLog:
    """Says which of many equal events are worth a line.

    A kind of event gets one line a minute, and one more each time that its number has grown
    tenfold. `others`: the kind as which all count when there are too many. `clock` gives s since
    1970.
    """

    def __init__(self, others: EventKind, clock: Clock) -> None:
        self._others = others
        self._clock = clock
        self._window = 0
        self._times: dict[EventKind, int] = {}

    def note(self, kind: EventKind) -> tuple[EventKind, int] | None:
        """Count an event. Return the kind and its number so far if they are worth a line."""
        window = int(self._clock() // WINDOW_S)
        if window != self._window:
            self._window, self._times = window, {}
        if kind not in self._times and len(self._times) >= KINDS_PER_WINDOW:
            kind = self._others
        times = self._times[kind] = self._times.get(kind, 0) + 1
        return (kind, times) if _is_power_of_ten(times) else None


def _is_power_of_ten(number: int) -> bool:
    return str(number).rstrip("0") == "1"
