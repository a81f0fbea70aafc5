"""What all devices of a process share: the clock, the server's address, the people, the counts."""

import random
from collections.abc import Callable
from typing import Protocol

import msgspec

from deviceflow.conformance.decisions import ToDecide
from deviceflow.device.answers import DeviceAuthorization, Reply
from deviceflow.fleet.arrivals import ARRIVALS
from deviceflow.fleet.people import intend
from deviceflow.fleet.requests import Requests
from deviceflow.fleet.result import Operation, Scenario
from deviceflow.fleet.tally import Tally
from deviceflow.fleet.verdict import Grant


class Timer(Protocol):
    """A planned call."""

    def cancel(self) -> None:
        """Cancel the call."""


class Time(Protocol):
    """A clock in s from the start of the run, and calls at a time of it."""

    def now(self) -> float:
        """Return the time."""

    def at(self, when: float, call: Callable[[], None]) -> Timer:
        """Plan a call. If the time has passed, it is called at once."""


class Listener(Protocol):
    """A sender of requests. For each request one method is called, unless it hangs up before."""

    def answered(self, reply: Reply) -> None:
        """Take the answer."""

    def failed(self, cause: str) -> None:
        """Learn that there is no answer. `cause`: a few words, which errors are counted by."""


class Line(Protocol):
    """The way to the server. It connects when there is something to send."""

    def send(self, request: bytes, listener: Listener, *, to_token: bool, closes: bool) -> None:
        """Send a request, to the token endpoint or to that of device authorizations."""

    def hang_up(self) -> None:
        """Close the connection. The listener hears of no answer from now on."""


class Decider(Protocol):
    """People. A decision may take a while. `Deciding.acknowledged` reports its end."""

    def decide(self, what: ToDecide, deciding: "Deciding") -> None:
        """Begin to decide."""


class World:
    """The surroundings of devices. `chance`: the source of everything random."""

    def __init__(
        self,
        scenario: Scenario,
        time: Time,
        requests: Requests,
        decider: Decider,
        chance: random.Random,
    ) -> None:
        self.scenario = scenario
        self.time = time
        self.requests = requests
        self.tally = Tally()
        self.chance = chance
        self.again = ARRIVALS[scenario.arrival].comes_again
        self.seen: set[int] = set()
        """Hashes of codes and tokens that were given."""

        self.is_over = False
        self._decider = decider

    def is_new(self, secret: str) -> bool:
        """Return whether a code or a token was never given before, and note it."""
        mark = hash(secret)
        if mark in self.seen:
            return False
        self.seen.add(mark)
        return True

    def show(self, codes: DeviceAuthorization, grant: Grant) -> None:
        """Show codes to a person, who may decide later."""
        intention = intend(self.scenario.people, self.chance)
        if intention is None:
            return
        what = ToDecide(
            user_code=codes.user_code,
            verification_uri=codes.verification_uri,
            verification_uri_complete=codes.verification_uri_complete,
            choice=intention.choice,
        )
        deciding = Deciding(self, grant)

        def decide() -> None:
            if deciding.is_wanted:
                grant.choice = intention.choice
                self._decider.decide(what, deciding)

        self.time.at(self.time.now() + intention.after_s, decide)

    def ended(self, grant: Grant) -> None:
        """Note that a device has stopped polling."""
        grant.is_over = True
        self.tally.pending -= 1

    def between(self, bounds: tuple[float, float]) -> float:
        """Return a time from now on, drawn between two durations."""
        return self.time.now() + self.chance.uniform(*bounds)


class Deciding(msgspec.Struct, frozen=True):
    """A decision that is on its way."""

    world: World
    grant: Grant

    @property
    def is_wanted(self) -> bool:
        """Whether the device still waits, and the run goes on."""
        is_late = self.world.time.now() >= self.grant.expires_at
        return not (self.grant.is_over or is_late or self.world.is_over)

    def acknowledged(self, took_s: float) -> None:
        """Note that the server has the decision. `took_s`: since the person wanted it."""
        world, grant = self.world, self.grant
        grant.decided_at = world.time.now()
        grant.known_at = grant.decided_at + world.scenario.known_within_s
        world.tally.events["approvals" if grant.choice == "approve" else "denials"] += 1
        world.tally.latency(Operation.DECISION, took_s)

    def refused(self, cause: str) -> None:
        """Count a decision that the server has not acknowledged."""
        self.world.tally.errors[f"decision: {cause}"] += 1
