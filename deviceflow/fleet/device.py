"""A virtual device: what it is doing (its phase), its connection, and when it sends next.

A device has one request at a time. Each has a planned time, and its latency counts from there.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Protocol

from deviceflow.device.answers import Reply
from deviceflow.fleet.result import Operation
from deviceflow.fleet.world import Line, Timer, World

COMES_AGAIN_S = (2.0, 10.0)
"""How long a device that is done waits before it begins again, in s (shortest, longest)."""

STARTS_OVER_S = (20.0, 40.0)
"""How long a device waits before it begins again after a wrong answer: a person sees it first."""

TIMED_OUT = "no answer in time"


class Outgoing(NamedTuple):
    """A request. `wait`: how long the server may hold it, in s."""

    data: bytes
    operation: Operation
    to_token: bool = True
    wait: int = 0


class Times(NamedTuple):
    """What was requested, when that was planned, sent and answered (or given up)."""

    operation: Operation
    planned: float
    sent: float
    answered: float

    @property
    def took(self) -> float:
        """How long the answer took, in s."""
        return self.answered - self.sent

    @property
    def latency(self) -> float:
        """How long the answer took from the planned time on, in s."""
        return self.answered - self.planned


class Step(NamedTuple):
    """What follows, and when the device sends its next request.

    Without a phase, the device goes away, or begins from the start if `begins_again`.
    """

    phase: "Phase | None" = None
    at: float = 0.0
    begins_again: bool = False


def after_the_end(world: World) -> Step:
    """Return what follows when a device is done: it begins again, or goes away."""
    return Step(at=world.between(COMES_AGAIN_S), begins_again=True) if world.again else Step()


def start_over(world: World) -> Step:
    """Return what follows when a server was wrong about a grant: the device starts over."""
    return Step(at=world.between(STARTS_OVER_S), begins_again=True)


class Phase(Protocol):
    """What a device is doing: starting, polling, or refreshing its tokens."""

    def request(self, now: float) -> Outgoing | Step:
        """Make the request that is due, or say what follows without one."""

    def answered(self, reply: Reply, times: Times) -> Step:
        """Judge an answer, and count its latency if the server could serve."""

    def unanswered(self, times: Times) -> Step:
        """Go on without an answer."""


class VirtualDevice:
    """A device. It begins with `begin`, and goes on by itself.

    `first` makes the phase in which it begins. `closes`: a connection for each request.
    """

    __slots__ = (
        *("_closes", "_first", "_line", "_outgoing", "_phase", "_planned", "_sent", "_timer"),
        "_world",
    )

    def __init__(
        self, world: World, line: Line, first: Callable[[], Phase], *, closes: bool
    ) -> None:
        self._world, self._line, self._first, self._closes = world, line, first, closes
        self._phase: Phase | None = None
        self._planned = self._sent = 0.0
        self._outgoing: Outgoing | None = None
        self._timer: Timer | None = None

    def begin(self, at: float) -> None:
        """Join the fleet at a time, and send the first request."""
        self._timer = self._world.time.at(at, partial(self._join, at))

    def check(self, now: float) -> None:
        """Give up a request whose answer does not come. Call this about once a second."""
        outgoing = self._outgoing
        if outgoing is None:
            return
        if now - self._sent > self._world.scenario.timeout_s + outgoing.wait:
            self._line.hang_up()
            self._world.tally.latency(outgoing.operation, now - self._planned)
            self.failed(TIMED_OUT)

    def answered(self, reply: Reply) -> None:
        """Take an answer."""
        outgoing, phase = self._outgoing, self._phase
        if outgoing is None or phase is None:
            return
        self._outgoing = None
        self._follow(phase.answered(reply, self._times(outgoing)))

    def failed(self, cause: str) -> None:
        """Go on without an answer."""
        outgoing, phase = self._outgoing, self._phase
        if outgoing is None or phase is None:
            return
        self._outgoing = None
        self._world.tally.errors[cause] += 1
        self._follow(phase.unanswered(self._times(outgoing)))

    def stop(self) -> None:
        """Go away, at the end of the run."""
        if self._timer is not None:
            self._timer.cancel()
        self._phase = self._outgoing = None
        self._line.hang_up()

    def _times(self, outgoing: Outgoing) -> Times:
        return Times(outgoing.operation, self._planned, self._sent, self._world.time.now())

    def _join(self, at: float) -> None:
        self._world.tally.devices += 1
        self._phase, self._planned = self._first(), at
        self._due()

    def _follow(self, step: Step) -> None:
        self._phase = self._first() if step.begins_again else step.phase
        if self._phase is None:
            self._world.tally.devices -= 1
            self._line.hang_up()
            return
        self._planned = step.at
        self._timer = self._world.time.at(step.at, self._due)

    def _due(self) -> None:
        if self._phase is None or self._world.is_over:
            return
        now = self._world.time.now()
        outgoing = self._phase.request(now)
        if isinstance(outgoing, Step):
            self._follow(outgoing)
            return
        tally = self._world.tally
        tally.late_s = max(tally.late_s, now - self._planned)
        # A timer has a precision of 1 ms. A request that it sends early is not answered sooner.
        self._planned = min(self._planned, now)
        self._sent, self._outgoing = now, outgoing
        self._line.send(outgoing.data, self, to_token=outgoing.to_token, closes=self._closes)
