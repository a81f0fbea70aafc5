"""The open connections of one worker: how many there may be, and which one must go first.

Three rules keep a worker reachable while a stranger opens connections:

- A connection that has sent nothing for some seconds is closed.
- At the limit of the process, a new connection takes the place of the one that has been idle for
  the longest time. Its device opens another one for its next poll.
- One address may have a part of the places only. Beyond it, a new connection takes the place of
  an older one of the same address. Proxies that are trusted, and this host, are exempt: they
  speak for many clients.

No request becomes slower by these rules. A connection has the count `quiet` already, which every
request sets to 0 and every sweep of the door counts up. To find the idle ones, all connections are
looked at, which takes some milliseconds. So one look finds several that may go. Addresses are
counted only while there are enough connections for a limit: to ask for one takes a system call.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from enum import StrEnum
from heapq import nsmallest
from typing import TYPE_CHECKING, NamedTuple

import structlog

from deviceflow.core.address import peer_address, rate_key

if TYPE_CHECKING:
    from deviceflow.oauth.poll.connection import LaneConnection

NOTHING_SENT = -1
"""The count `quiet` of a connection that has sent nothing yet."""

SILENT_S = 10.0
NEW_S = 1.0
"""How long a connection counts as new: its first bytes may be on their way."""

PART_PER_ADDRESS = 4
"""Without a number in the settings, an address may have one in four of the places."""

FOUND_IN_A_LOOK = 16
"""One look finds one in 16 of the places."""

ENOUGH = 0.95
"""There is room again when no more than this part of the places is taken."""

LOG_EVERY_S = 60.0

Rank = tuple[int, float]
"""The lowest goes first: the kind of a connection, then how long it has been of that kind."""

log = structlog.get_logger()


class CloseCause(StrEnum):
    """Why the server has closed a connection."""

    SILENT = "silent"
    IDLE = "idle"
    UNFINISHED = "unfinished"
    MADE_ROOM = "made_room"
    NO_ROOM = "no_room"
    ADDRESS = "address"


class OpenLimits(NamedTuple):
    """The most connections of a worker, and of one address.

    `is_exempt` says of an address (as text) that it may have any number of them.
    """

    all: int
    per_address: int
    is_exempt: Callable[[str], bool]

    @classmethod
    def of(cls, most: int, per_address: int, is_exempt: Callable[[str], bool]) -> "OpenLimits":
        """Make them. Without a number `per_address` (0), an address has a part of the places."""
        return cls(most, per_address or max(1, most // PART_PER_ADDRESS), is_exempt)


class OpenConnections:
    """The open connections, in the order in which they came. `closed` counts those given up."""

    def __init__(self, limits: OpenLimits) -> None:
        self.limits = limits
        # With fewer than these, no limit can be reached.
        self._fewest = min(limits.all, limits.per_address)
        self.closed: Counter[CloseCause] = Counter()
        self._open: dict[LaneConnection, None] = {}
        # None while they are so few that no address can have too many.
        self._by_address: Counter[str] | None = None
        # Seconds since the start, as `tick` tells them.
        self._now = 0.0
        # Those that go first, the next one last: of an address, or of all under "".
        self._leaving: dict[str, list[tuple[Rank, LaneConnection]]] = {}
        self._logged_at = -LOG_EVERY_S
        self._refused = self._made_room = 0

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator["LaneConnection"]:
        return iter(list(self._open))

    def add(self, connection: "LaneConnection") -> bool:
        """Take in a new connection; return False if it must be closed at once.

        If the process had no descriptor left, it could open no file and reach no store for the
        connections that it has.
        """
        # Addresses are counted until the next tick finds few enough: each new one has to have one.
        is_near = self._by_address is not None or len(self._open) >= self._fewest
        if is_near and not self._may_enter(connection):
            return False
        connection.opened_at = self._now
        self._open[connection] = None
        if self._by_address is not None:
            self._by_address[connection.address] += 1
        return True

    def discard(self, connection: "LaneConnection") -> None:
        """Forget a connection; it may be forgotten already."""
        if connection not in self._open:
            return
        del self._open[connection]
        if self._by_address is not None:
            self._by_address[connection.address] -= 1
            if not self._by_address[connection.address]:
                del self._by_address[connection.address]

    def tick(self, seconds: float, silent_s: float = SILENT_S) -> None:
        """Let time pass, and close what has sent nothing for `silent_s`."""
        self._now += seconds
        self._leaving.clear()
        if len(self._open) < self._fewest * ENOUGH:
            self._by_address = None
        for connection in self._older_first_among_new(silent_s):
            if connection.quiet == NOTHING_SENT:
                self.close(connection, CloseCause.SILENT)
        # One free place at the limit is not the end of it yet.
        if (self._refused or self._made_room) and len(self._open) < self.limits.all * ENOUGH:
            log.warning("connections.taken_again", refused=self._refused, made_room=self._made_room)
            self._refused = self._made_room = 0

    def close(self, connection: "LaneConnection", cause: CloseCause) -> None:
        """Close a connection and forget it; what has not been sent yet is dropped."""
        self.closed[cause] += 1
        connection.transport.abort()
        self.discard(connection)

    def take_closed(self) -> dict[CloseCause, int]:
        """Return how many connections were given up since the last call, by cause."""
        closed, self.closed = dict(self.closed), Counter()
        return closed

    def _older_first_among_new(self, seconds: float) -> list["LaneConnection"]:
        """Return the connections that were opened between `seconds` and twice that ago."""
        found = []
        for connection in reversed(self._open):
            age = self._now - connection.opened_at
            if age > 2 * seconds:
                break
            if age >= seconds:
                found.append(connection)
        return found[::-1]

    def _may_enter(self, connection: "LaneConnection") -> bool:
        if self._by_address is None:
            for each in self._open:
                each.address = _address_of(each)
            self._by_address = Counter(each.address for each in self._open)
        connection.address = _address_of(connection)
        if not self._has_share(connection, self._by_address[connection.address]):
            self.closed[CloseCause.ADDRESS] += 1
            return False
        return self._has_place()

    def _has_share(self, connection: "LaneConnection", others: int) -> bool:
        """Return whether its address may have one more besides `others`, or gives one up for it."""
        if others < self.limits.per_address or not self._is_held_to_it(connection):
            return True
        return self._closes_one_of(connection.address)

    def _has_place(self) -> bool:
        if len(self._open) < self.limits.all or self._is_room_made():
            return True
        self.closed[CloseCause.NO_ROOM] += 1
        self._refused += 1
        return False

    def _is_held_to_it(self, connection: "LaneConnection") -> bool:
        """Return whether its address is held to the limit. If so, log that."""
        peer = _peer_of(connection)
        if not peer or self.limits.is_exempt(peer):
            return False
        if self._now - self._logged_at >= LOG_EVERY_S:
            self._logged_at = self._now
            log.warning(
                "connections.of_one_address",
                address=connection.address,
                limit=self.limits.per_address,
            )
        return True

    def _is_room_made(self) -> bool:
        """Close a connection for a new one. Log it when the room has just run out."""
        if not (self._refused or self._made_room):
            remedy = "raise LimitNOFILE (ulimit -n), or start more workers"
            log.error("connections.too_many", limit=self.limits.all, remedy=remedy)
        is_made = self._closes_one_of("")
        self._made_room += is_made
        return is_made

    def _closes_one_of(self, address: str) -> bool:
        """Close the connection of an address that goes first; return False if none may go."""
        leaving = self._leaving.get(address)
        if leaving is None:
            leaving = self._leaving[address] = self._first_to_go(address)
        while leaving:
            rank, connection = leaving.pop()
            if not leaving:
                # The next one has another look. An empty list stays until the next tick.
                del self._leaving[address]
            if connection in self._open and self._rank(connection) == rank:
                self.close(connection, CloseCause.MADE_ROOM)
                return True
        return False

    def _first_to_go(self, address: str) -> list[tuple[Rank, "LaneConnection"]]:
        """Look for the connections of an address, or of all, that go first; the first is last."""
        ranked = [
            (rank, connection)
            for connection in self._open
            if address in {"", connection.address} and (rank := self._rank(connection)) is not None
        ]
        places = self.limits.per_address if address else self.limits.all
        number = max(1, min(places, len(self._open)) // FOUND_IN_A_LOOK)
        return nsmallest(number, ranked, key=lambda pair: pair[0])[::-1]

    def _rank(self, connection: "LaneConnection") -> Rank | None:
        """Return the rank of a connection, None if it may not go: it is new or in use."""
        if connection.quiet == NOTHING_SENT:
            is_new = self._now - connection.opened_at < NEW_S
            return None if is_new else (0, connection.opened_at)
        if connection.stuck:
            # Half a request that has not grown for a while, or an answer that nobody reads.
            return (2, -connection.stuck)
        return (1, -connection.quiet) if connection.is_idle() else None


def _address_of(connection: "LaneConnection") -> str:
    """Return the address of the other end as limits count it: IPv6 by its /64."""
    peer = _peer_of(connection)
    return rate_key(peer) if ":" in peer else peer


def _peer_of(connection: "LaneConnection") -> str:
    """Return the address of the other end, as text; empty on a Unix socket."""
    return peer_address(connection.transport.get_extra_info("peername"))
