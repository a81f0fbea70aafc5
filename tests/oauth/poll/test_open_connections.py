"""The open connections: who may come, and who must go. Most tests need no socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import cast

import pytest
from structlog.testing import capture_logs

from deviceflow.config import Server
from deviceflow.oauth.poll.connection import LaneConnection
from deviceflow.oauth.poll.open_connections import (
    FOUND_IN_A_LOOK,
    LOG_EVERY_S,
    NEW_S,
    NOTHING_SENT,
    PART_PER_ADDRESS,
    SILENT_S,
    CloseCause,
    OpenConnections,
    OpenLimits,
)
from deviceflow.worker import connection_limits
from tests.stage.oauth import Stage
from tests.stage.served import METADATA, Mint, Peer, Served, poll, serve

PLACES = 3
HOME, SHOP = "203.0.113.7", "198.51.100.1"


class Guest:
    """A connection as `OpenConnections` sees it: `quiet` sweeps idle, or in use."""

    def __init__(self, peer: str = HOME, quiet: int = 0, *, idle: bool = True) -> None:
        self.quiet, self.stuck, self.idle = quiet, 0, idle
        self.is_aborted = False
        name = (peer, 4711) if peer else ""
        self.transport = SimpleNamespace(get_extra_info=lambda _: name, abort=self.abort)

    def abort(self) -> None:
        self.is_aborted = True

    def is_idle(self) -> bool:
        return self.idle

    def enter(self, connections: OpenConnections) -> bool:
        return connections.add(cast("LaneConnection", self))


def at_most(places: int, per_address: int = 10_000) -> OpenConnections:
    return OpenConnections(OpenLimits(places, per_address, lambda peer: peer == SHOP))


def crowd(connections: OpenConnections, *guests: Guest) -> list[Guest]:
    for guest in guests:
        assert guest.enter(connections)
    return list(guests)


def gone(guests: list[Guest]) -> list[int]:
    """The places of the guests that were closed."""
    return [place for place, guest in enumerate(guests) if guest.is_aborted]


# At the limit of the process


def test_connections_that_come_while_others_leave_are_known_by_their_address() -> None:
    """The limit was near, and the next tick has not found yet that it is not any more."""
    connections = at_most(20, per_address=4)
    guests = crowd(connections, *(Guest(quiet=1) for _ in range(5)))
    assert gone(guests) == [0]
    for guest in guests[1:3]:
        connections.discard(cast("LaneConnection", guest))
    late = crowd(connections, Guest(quiet=9), Guest(quiet=9))
    crowd(connections, Guest(quiet=1))
    assert gone(late) == [0]
    for guest in (*guests[3:], late[1]):
        connections.discard(cast("LaneConnection", guest))
    assert len(connections) == 1


def test_the_one_that_was_idle_for_longest_goes_first() -> None:
    connections = at_most(PLACES)
    guests = crowd(connections, Guest(quiet=1), Guest(quiet=5), Guest(quiet=2))
    for expected in ([1], [1, 2], [0, 1, 2]):
        assert Guest(idle=False).enter(connections)
        assert gone(guests) == expected
        assert len(connections) == PLACES
    assert not Guest().enter(connections), "all are in use"
    assert connections.closed == {CloseCause.MADE_ROOM: 3, CloseCause.NO_ROOM: 1}


def test_of_equals_the_oldest_goes_first() -> None:
    connections = at_most(PLACES)
    guests = crowd(connections, *(Guest(quiet=1) for _ in range(PLACES)))
    assert Guest().enter(connections)
    assert gone(guests) == [0]


def test_silent_ones_go_before_idle_ones_and_stuck_ones_last() -> None:
    connections = at_most(PLACES)
    guests = crowd(connections, Guest(quiet=9), Guest(quiet=NOTHING_SENT), Guest(quiet=9))
    guests[0].stuck = 1
    connections.tick(NEW_S)
    for expected in ([1], [1, 2], [0, 1, 2]):
        assert Guest(idle=False).enter(connections)
        assert gone(guests) == expected


def test_new_ones_do_not_close_each_other() -> None:
    """The first bytes of a connection may be on their way."""
    connections = at_most(PLACES)
    crowd(connections, *(Guest(quiet=NOTHING_SENT) for _ in range(PLACES)))
    assert not Guest(quiet=NOTHING_SENT).enter(connections)


def test_one_that_was_used_since_the_look_stays() -> None:
    connections = at_most(4 * FOUND_IN_A_LOOK)
    guests = crowd(connections, *(Guest(quiet=9) for _ in range(4 * FOUND_IN_A_LOOK)))
    assert Guest(idle=False).enter(connections)
    guests[1].quiet = 0
    assert Guest(idle=False).enter(connections)
    assert gone(guests) == [0, 2]


def test_many_new_ones_need_few_looks() -> None:
    """To look at all connections for each new one would hold the worker up."""
    places = 100 * FOUND_IN_A_LOOK
    connections = at_most(places)
    looks = 0

    class Counted(Guest):
        def is_idle(self) -> bool:
            nonlocal looks
            looks += 1
            return super().is_idle()

    crowd(connections, *(Counted(quiet=1) for _ in range(places)))
    for _ in range(100):
        assert Guest(idle=False).enter(connections)
    # Every connection in one look, and each that goes once more.
    assert looks <= places + 100
    connections.tick(1)
    busy = at_most(places)
    guests = crowd(busy, *(Counted(idle=False) for _ in range(places)))
    looks = 0
    assert not any(Guest().enter(busy) for _ in range(100))
    assert looks == places, "a look that has found nothing is repeated after a tick only"
    guests[0].idle = True
    busy.tick(1)
    assert Guest().enter(busy)


def test_a_time_without_room_is_two_lines() -> None:
    connections = at_most(PLACES)
    with capture_logs() as logs:
        guests = crowd(connections, *(Guest() for _ in range(2 * PLACES)))
        connections.tick(1)
        for guest in guests[PLACES + 1 :]:
            connections.discard(cast("LaneConnection", guest))
        connections.tick(1)
    assert [line["event"] for line in logs] == ["connections.too_many", "connections.taken_again"]
    assert (logs[0]["limit"], logs[1]["made_room"], logs[1]["refused"]) == (PLACES, PLACES, 0)


# One address


def test_an_address_at_its_limit_makes_room_itself() -> None:
    connections = at_most(100, per_address=2)
    guests = crowd(connections, Guest(quiet=1), Guest(quiet=2), Guest("192.0.2.9", 3), Guest())
    assert gone(guests) == [1]
    assert len(connections) == 3


def test_an_address_whose_connections_are_in_use_gets_no_more() -> None:
    connections = at_most(100, per_address=2)
    crowd(connections, Guest(idle=False), Guest(idle=False), Guest("192.0.2.9"))
    with capture_logs() as logs:
        refused = [Guest().enter(connections) for _ in range(9)]
        connections.tick(LOG_EVERY_S)
        refused.append(Guest().enter(connections))
    assert not any(refused)
    assert connections.closed == {CloseCause.ADDRESS: 10}
    assert [(line["event"], line["address"], line["limit"]) for line in logs] == [
        ("connections.of_one_address", HOME, 2)
    ] * 2


def test_a_network_of_ipv6_counts_as_one() -> None:
    connections = at_most(100, per_address=2)
    guests = crowd(connections, *(Guest(f"2001:db8::{n}", idle=False) for n in range(2)))
    assert not Guest("2001:db8::9").enter(connections)
    assert Guest("2001:db8:0:1::9").enter(connections)
    connections.discard(cast("LaneConnection", guests[0]))
    connections.discard(cast("LaneConnection", guests[0]))
    assert Guest("2001:db8::9").enter(connections)


@pytest.mark.parametrize("peer", [SHOP, ""])
def test_proxies_and_unix_sockets_have_no_limit(peer: str) -> None:
    connections = at_most(100, per_address=2)
    assert gone(crowd(connections, *(Guest(peer) for _ in range(50)))) == []


@pytest.mark.parametrize(
    ("peer", "is_exempt"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.1.2.3", True),
        ("2001:db8::1", False),
        ("203.0.113.7", False),
    ],
)
def test_trusted_proxies_and_this_host_are_exempt(peer: str, *, is_exempt: bool) -> None:
    limits = connection_limits(Server(trusted_proxies=("10.0.0.0/8", "none")))
    assert limits.is_exempt(peer) is is_exempt


def test_the_limit_of_an_address_follows_the_one_of_the_process() -> None:
    assert OpenLimits.of(800, 0, bool).per_address == 800 // PART_PER_ADDRESS
    assert OpenLimits.of(800, 7, bool).per_address == 7
    assert connection_limits(Server(max_connections_per_address=9)).per_address == 9


# Connections that send nothing


def test_what_has_sent_nothing_is_closed() -> None:
    connections = at_most(100)
    (early,) = crowd(connections, Guest(quiet=NOTHING_SENT))
    connections.tick(4)
    silent, speaking = crowd(connections, Guest(quiet=NOTHING_SENT), Guest(quiet=0))
    connections.tick(SILENT_S - 4)
    assert (early.is_aborted, silent.is_aborted) == (True, False)
    connections.tick(4)
    assert (silent.is_aborted, speaking.is_aborted) == (True, False)
    assert len(connections) == 1
    assert connections.take_closed() == {CloseCause.SILENT: 2}
    assert connections.take_closed() == {}


# On real sockets


@pytest.fixture
async def crowded(stage: Stage) -> AsyncIterator[Served]:
    """A worker with a few places."""
    async with serve(stage) as served:
        served.door.connections = at_most(PLACES)
        yield served


async def test_a_stranger_with_idle_connections_keeps_nobody_out(
    crowded: Served, mint: Mint
) -> None:
    """Each device gets its answer, a stranger's idle connections go, and a held poll stays."""
    async with AsyncExitStack() as stack:

        async def come() -> Peer:
            return await stack.enter_async_context(await crowded.connect())

        held = await come()
        await held.send(poll(mint.code(), b"Prefer: wait=30"))
        idle = [await come() for _ in range(PLACES - 1)]
        for peer in idle:
            await peer.ask(METADATA)
            await peer.settle()
        for _ in range(2 * PLACES):
            device = await come()
            assert (await device.ask(poll(mint.code()))).error == "authorization_pending"
        for peer in idle:
            assert await peer.rest() == b""
        assert len(crowded.door.connections) == PLACES
        crowded.apps.polls.held.drop_all()
        assert (await held.answer()).error == "authorization_pending"


async def test_a_silent_connection_is_closed_on_the_wire(served: Served, mint: Mint) -> None:
    async with await served.connect() as silent, await served.connect() as device:
        await silent.send()
        await device.ask(poll(mint.code()))
        served.door.connections.tick(SILENT_S)
        assert await silent.rest() == b""
        assert (await device.ask(poll(mint.code()))).error == "authorization_pending"


async def test_the_door_looks_at_them_regularly(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the shortest time for idle connections, so that it comes soon."""
    ticks = asyncio.Queue[tuple[float, float]]()
    monkeypatch.setattr(served.door, "_keepalive_s", 0.04)
    monkeypatch.setattr(
        served.door.connections, "tick", lambda *arguments: ticks.put_nowait(arguments)
    )
    sweeping = asyncio.create_task(served.door.sweep_regularly())
    assert await ticks.get() == (0.01, 0.04)
    sweeping.cancel()
