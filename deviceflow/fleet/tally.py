"""What the devices of a process count, second by second.

A `Tick` is one second. Processes send theirs to the one that shows the run, which adds them up.
"""

from collections import Counter

import msgspec

from deviceflow.fleet.histogram import Histogram
from deviceflow.fleet.result import Operation, PollOutcome

Counts = dict[str, int]


class Example(msgspec.Struct, frozen=True, order=True):
    """The first wrong outcome of a kind: when, in s, and what it was."""

    at_s: float
    text: str


class Tick(msgspec.Struct, kw_only=True, tag="tick"):
    """One second of one process, or the sum of several. The names are those of `result.Second`.

    `examples`: of kinds of wrong outcomes that are new. `interval_s`, `expires_in_s`: of the
    newest device authorization response.
    """

    number: int = 0
    devices: int = 0
    pending: int = 0
    connections: int = 0
    events: Counts = {}
    polls: dict[PollOutcome, int] = {}
    errors: Counts = {}
    wrong: Counts = {}
    examples: dict[str, Example] = {}
    latencies: dict[Operation, Histogram] = {}
    late_s: float = 0.0
    cpu_s: float = 0.0
    interval_s: float | None = None
    expires_in_s: float | None = None

    def add(self, other: "Tick") -> None:
        """Add another one."""
        self.devices += other.devices
        self.pending += other.pending
        self.connections += other.connections
        self.events = dict(Counter(self.events) + Counter(other.events))
        self.polls = dict(Counter(self.polls) + Counter(other.polls))
        self.errors = dict(Counter(self.errors) + Counter(other.errors))
        self.wrong = dict(Counter(self.wrong) + Counter(other.wrong))
        for kind, example in other.examples.items():
            self.examples[kind] = min(example, self.examples.get(kind, example))
        for operation, histogram in other.latencies.items():
            self.latencies.setdefault(operation, Histogram()).add(histogram)
        self.late_s = max(self.late_s, other.late_s)
        self.cpu_s += other.cpu_s
        self.interval_s = self.interval_s or other.interval_s
        self.expires_in_s = self.expires_in_s or other.expires_in_s


class Tally:
    """The counts of the current second.

    `devices`, `pending`, `connections`: how many there are now. `late_s`: the longest delay
    with which a request was sent.
    """

    def __init__(self) -> None:
        self.devices = 0
        self.pending = 0
        self.connections = 0
        self.interval_s: float | None = None
        self.expires_in_s: float | None = None
        self._kinds: set[str] = set()
        self._begin()

    def _begin(self) -> None:
        self.events: Counter[str] = Counter()
        self.polls: Counter[PollOutcome] = Counter()
        self.errors: Counter[str] = Counter()
        self.late_s = 0.0
        self._wrong: Counter[str] = Counter()
        self._examples: dict[str, Example] = {}
        self._latencies: dict[Operation, Histogram] = {}

    def wrong(self, kind: str, example: str, now: float) -> None:
        """Count a wrong outcome."""
        self._wrong[kind] += 1
        if kind not in self._kinds:
            self._kinds.add(kind)
            self._examples[kind] = Example(round(now, 3), example)

    def latency(self, operation: Operation, seconds: float) -> None:
        """Count a latency."""
        histogram = self._latencies.get(operation)
        if histogram is None:
            histogram = self._latencies[operation] = Histogram()
        histogram.record(seconds)

    def end_second(self, number: int, cpu_s: float) -> Tick:
        """Return what was counted, and begin the next second."""
        tick = Tick(
            number=number,
            devices=self.devices,
            pending=self.pending,
            connections=self.connections,
            events=dict(self.events),
            polls=dict(self.polls),
            errors=dict(self.errors),
            wrong=dict(self._wrong),
            examples=self._examples,
            latencies=self._latencies,
            late_s=self.late_s,
            cpu_s=cpu_s,
            interval_s=self.interval_s,
            expires_in_s=self.expires_in_s,
        )
        self._begin()
        return tick
