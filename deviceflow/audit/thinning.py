"""Which of many equal events get a line: the first of a window; the others are counted."""

from collections.abc import Iterator

from deviceflow.core.clock import SteadyClock

THINNING_WINDOW_S = 10
LINES_PER_WINDOW = 100
"""The most lines of a kind in a window, in each process."""

AUDIT_KINDS = 200
"""Cap on kinds. The list of events and that of limits are closed, so this is never reached."""

AuditKind = tuple[str, str]
"""An event, and the limit that it is about, if any."""


class Thinning:
    """Counts events by kind."""

    def __init__(self, clock: SteadyClock) -> None:
        self._clock = clock
        self._window = 0
        self._times: dict[AuditKind, int] = {}
        self._left_out: dict[AuditKind, int] = {}

    def takes(self, kind: AuditKind) -> bool:
        """Count an event. Return whether it gets a line."""
        window = int(self._clock() // THINNING_WINDOW_S)
        if window != self._window:
            self._window, self._times = window, {}
        if kind not in self._times and len(self._times) >= AUDIT_KINDS:
            kind = ("(others)", "")
        times = self._times[kind] = self._times.get(kind, 0) + 1
        if times <= LINES_PER_WINDOW:
            return True
        self._left_out[kind] = self._left_out.get(kind, 0) + 1
        return False

    def left_out(self) -> Iterator[tuple[AuditKind, int]]:
        """Give the numbers of events without a line since the last time, and forget them."""
        left_out, self._left_out = self._left_out, {}
        yield from left_out.items()
