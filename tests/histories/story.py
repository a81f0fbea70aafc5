"""What the rules look at: the operations of one grant, and the world in which they happened."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.histories.history import Operation, grant_of

LATE_S = 8.0
"""How late a change may arrive in a calm time before it counts as lost. The promise is one second;
the rest is for a busy machine."""

IN_FLIGHT_S = 15.0
"""How long a request may still be on its way after its process has stopped waiting for it: longer
than any fault holds up a request, and than the server tries to reach its store."""

MESSAGE_S = 1.0
"""How long a message between hosts takes on a busy machine, at most."""

REPLICATED_S = 2.0
"""After this time, a write has arrived at replicas that nobody has asked to confirm it."""

GRACE_S = 60.0
"""`device.redemption_grace_s` of the servers under test."""

ROUNDING_S = 1.0
"""Expiry is a whole second."""

USER, CLIENT = "sub", "client"
_DISABLE = {USER: "disable", CLIENT: "disable-client"}
_ENABLE = {USER: "enable", CLIENT: "enable-client"}


@dataclass
class World:
    """What concerns no grant, or many: faults, and what operators did to users and clients."""

    faults: list[Operation] = field(default_factory=list)
    orders: list[Operation] = field(default_factory=list)

    def is_calm(self, since: float, until: float) -> bool:
        """Return whether no fault was going on between two times."""
        return not any(each.invoked <= until and each.ended >= since for each in self.faults)

    def has_settled(self, moment: float, since: float, until: float) -> bool:
        """Return whether what happened at `moment` had time to arrive before `since`.

        From LATE_S before `since` to `until`, no fault was going on.
        """
        return since >= moment + LATE_S and self.is_calm(since - LATE_S, until)

    def fails_over(self, request: Operation) -> bool:
        """Return whether the store failed over when a request was answered, or soon afterwards."""
        return any(
            each.args.get("fails_over")
            and each.invoked <= request.ended + REPLICATED_S
            and each.ended >= request.invoked
            for each in self.faults
        )

    @property
    def skew_s(self) -> float:
        """How far a fault has turned a clock, at most."""
        return max((abs(float(each.args.get("jump_s", 0))) for each in self.faults), default=0.0)

    def may_be_disabled(self, kind: str, name: str, request: Operation) -> bool:
        """Return whether a user or a client may have been disabled when a request was judged."""
        for order in self.named(_DISABLE[kind], kind, name):
            if not order.may_have_happened or order.invoked > request.ended:
                continue
            ends = (
                enable.ended
                for enable in self.named(_ENABLE[kind], kind, name)
                if enable.is_done and enable.invoked >= order.ended
            )
            if not self.has_settled(
                min(ends, default=float("inf")), request.invoked, request.ended
            ):
                return True
        return False

    def is_disabled(self, kind: str, name: str, request: Operation) -> Operation | None:
        """Return the order by which a user or a client was disabled during a whole request.

        For a client, workers have learned of it: a user is looked up each time.
        """
        enables = [each for each in self.named(_ENABLE[kind], kind, name) if each.may_have_happened]
        for order in self.named(_DISABLE[kind], kind, name):
            if not order.is_done or order.ended > request.invoked:
                continue
            if any(order.invoked <= enable.invoked <= request.ended for enable in enables):
                continue
            if kind == USER or self.has_settled(order.ended, request.invoked, request.ended):
                return order
        return None

    def may_have_ended(self, sub: str, since: float, request: Operation) -> bool:
        """Return whether what a user gave at `since` may have ended when a request was judged.

        To disable a user ends all of it for good: to enable the user gives nothing back.
        """
        return any(
            order.may_have_happened and _over(order) >= since and order.invoked <= request.ended
            for order in self.named(_DISABLE[USER], USER, sub)
        )

    def has_ended(self, sub: str, given: Sequence[Operation], request: Operation) -> bool:
        """Return whether all that a user gave by these operations had ended before a request."""
        return any(
            order.is_done
            and order.ended <= request.invoked
            and all(_over(each) < order.invoked for each in given)
            for order in self.named(_DISABLE[USER], USER, sub)
        )

    def named(self, name: str, kind: str, who: str) -> Iterator[Operation]:
        """Yield the orders of one name about a user or a client."""
        for order in self.orders:
            if order.name == name and order.args[kind] == who:
                yield order


def _over(operation: Operation) -> float:
    """Return when an operation can no longer take effect."""
    return operation.ended if operation.is_done else operation.ended + IN_FLIGHT_S


@dataclass
class Story:
    """One grant. Its operations are in the order in which they began."""

    grant: str
    world: World
    operations: list[Operation] = field(default_factory=list)

    def all(self, *names: str) -> list[Operation]:
        """Return the operations of these names."""
        return [each for each in self.operations if each.name in names]

    def done(self, *names: str) -> list[Operation]:
        """Return those that certainly happened."""
        return [each for each in self.all(*names) if each.is_done]

    def possible(self, *names: str) -> list[Operation]:
        """Return those that may have happened."""
        return [each for each in self.all(*names) if each.may_have_happened]

    @property
    def start(self) -> Operation:
        """The request that the grant began with."""
        return self.all("start")[0]

    @property
    def client(self) -> str:
        """The client's id."""
        return str(self.start.args["client"])

    def approvals_of(self, sub: str) -> list[Operation]:
        """Return the approvals by a user that may have happened."""
        return [each for each in self.possible("approve") if each.args["sub"] == sub]

    @property
    def polls(self) -> list[Operation]:
        """All polls."""
        return self.all("poll")

    @property
    def tokens(self) -> list[Operation]:
        """The polls that got tokens."""
        return [poll for poll in self.polls if poll.answer == "tokens"]

    @property
    def earliest_end(self) -> float:
        """The earliest time at which the grant may count as expired."""
        lifetime = float(self.start.args["lifetime_s"])
        return self.start.invoked + lifetime - ROUNDING_S - self.world.skew_s

    @property
    def latest_end(self) -> float:
        """The latest time at which it may not count as expired."""
        return self.start.ended + float(self.start.args["lifetime_s"]) + self.world.skew_s

    def current_token(self, at: float) -> str:
        """Return the refresh token that the device had got last; empty if it had none."""
        received = [
            each
            for each in self.all("poll", "refresh")
            if each.answer == "tokens" and each.ended <= at
        ]
        last = max(received, key=lambda each: each.ended, default=None)
        return str(last.result.get("refresh", "")) if last else ""


def stories(operations: Sequence[Operation], of: frozenset[str] | None = None) -> list[Story]:
    """Sort the operations of a history by grant, of all grants or of some."""
    world, found = World(), dict[str, Story]()
    for operation in operations:
        if operation.name == "fault":
            world.faults.append(operation)
        elif name := grant_of(operation):
            if of is None or name in of:
                story = found.setdefault(name, Story(name, world))
                story.operations.append(operation)
        elif operation.name not in {"start", "rotate-keys", "reload"}:
            world.orders.append(operation)
    return [story for story in found.values() if story.all("start")]
