"""Which devices may start a grant: the first line of a worker, and stories of fleets and floods.

The script is the real one, and time is a number.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from fakeredis import FakeAsyncRedis
from structlog.testing import capture_logs

from deviceflow.config import GrantLimits
from deviceflow.core.client import Client
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.policy.admission import (
    HOLD_BACK_S,
    LATEST_TURN_S,
    LONGEST_MEMORY_S,
    MOST_HELD_BACK,
    PRESSED_PAUSE_S,
    REMEMBERED,
    SHORTEST_MEMORY_S,
    StartAdmission,
    StorePressed,
    TooManyStarts,
    limits_of,
)
from deviceflow.store.connection import Connection
from deviceflow.store.installation import Installation
from deviceflow.store.load import LoadState, StoreLoad
from deviceflow.store.shapes.server import ServerShape
from deviceflow.store.starts import REFILL_S, Start, StartLimit, StartRefusal, Starts
from tests.stage.clock import Clock

TV = Client(client_id="tv-app", name="Living-room TV")
METER = Client(client_id="meter", name="Meter", starts_per_address=0, live_grants=7)
NAT, HOME = "203.0.113.7", "198.51.100.1"
LIFETIME_S = 600


@dataclass
class ScriptedStarts(Starts):
    """A store that answers as a test says, and knows who has asked."""

    refusal: StartRefusal | None = None
    asked: list[Start] = field(default_factory=list)

    async def admit(self, start: Start) -> StartRefusal | None:
        self.asked.append(start)
        return self.refusal


async def try_start(
    admission: StartAdmission, address: str = NAT, client: Client = TV
) -> TooManyStarts | None:
    """Start a grant as the endpoint does."""
    try:
        await admission.admit(admission.attempt(client, address, LIFETIME_S))
    except TooManyStarts as refusal:
        return refusal
    return None


@dataclass
class ScriptedLoad(StoreLoad):
    """A store that is as a test says."""

    now: LoadState = ""

    @property
    def state(self) -> LoadState:
        return self.now


def idle() -> ScriptedLoad:
    nowhere = Connection(ServerShape(FakeAsyncRedis()))
    return ScriptedLoad(connection=nowhere, full_at=0.8, steady=float)


@pytest.fixture
def load() -> ScriptedLoad:
    return idle()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder.alone()


@pytest.fixture
def starts() -> ScriptedStarts:
    return ScriptedStarts()


@pytest.fixture
def admission(starts: Starts, load: StoreLoad, clock: Clock, recorder: Recorder) -> StartAdmission:
    return StartAdmission(starts, load, GrantLimits(), clock, recorder)


def test_a_client_may_have_limits_of_its_own() -> None:
    usual = GrantLimits()
    assert limits_of(TV, usual) == (
        usual.starts,
        usual.starts_per_network,
        usual.starts_per_address,
        usual.live_grants,
    )
    assert limits_of(METER, usual) == (usual.starts, usual.starts_per_network, 0, 7)


async def test_without_limits_the_store_is_not_asked(
    starts: ScriptedStarts, clock: Clock, recorder: Recorder
) -> None:
    off = GrantLimits(starts=0, starts_per_network=0, starts_per_address=0, live_grants=0)
    assert await try_start(StartAdmission(starts, idle(), off, clock, recorder)) is None
    assert starts.asked == []


@pytest.mark.parametrize(
    ("limit", "same", "others"),
    [
        ("client", ("2001:db8:9::1", HOME), ()),
        ("network", ("2001:db8:1:2::1",), ("2001:db8:9::1", HOME)),
        ("address", ("2001:db8:1:1::9",), ("2001:db8:1:2::1", HOME)),
        ("live", (HOME,), ()),
    ],
)
async def test_a_worker_refuses_from_memory_what_a_limit_has_refused(
    admission: StartAdmission,
    starts: ScriptedStarts,
    limit: StartLimit,
    same: Sequence[str],
    others: Sequence[str],
) -> None:
    """All devices that the limit counts together, and no other ones."""
    starts.refusal = StartRefusal(limit, 3.0)
    assert await try_start(admission, "2001:db8:1:1::1")
    starts.refusal = None
    for address in same:
        refusal = await try_start(admission, address)
        assert refusal is not None
        assert refusal.limit == limit
    assert len(starts.asked) == 1
    for address in others:
        assert await try_start(admission, address) is None
    assert await try_start(admission, "2001:db8:1:1::1", METER) is None, "another client"


@pytest.mark.parametrize(
    ("wait_s", "memory_s"), [(0.02, SHORTEST_MEMORY_S), (2, 2), (60, LONGEST_MEMORY_S)]
)
async def test_a_refusal_is_remembered_for_a_while(
    admission: StartAdmission, starts: ScriptedStarts, clock: Clock, wait_s: float, memory_s: float
) -> None:
    starts.refusal = StartRefusal("address", wait_s)
    await try_start(admission)
    starts.refusal = None
    clock.advance(memory_s - 0.01)
    assert await try_start(admission)
    clock.advance(0.02)
    assert await try_start(admission) is None


async def test_the_refused_are_told_to_come_one_after_the_other(
    admission: StartAdmission, starts: ScriptedStarts
) -> None:
    """50 a second get free at an address; beyond a minute, the turns begin again."""
    starts.refusal = StartRefusal("address", 0.02)
    refusals = [await try_start(admission) for _ in range(4000)]
    waits = [refusal.wait_s for refusal in refusals if refusal]
    assert waits[0] == 1
    assert waits[2999] == LATEST_TURN_S
    assert all(0 <= after - before <= 1 for before, after in pairwise(waits[:3000]))
    assert max(waits) <= LATEST_TURN_S + 1
    assert max(Counter(waits).values()) <= 150, "no second in which hundreds come"


async def test_the_memory_is_bounded(admission: StartAdmission, starts: ScriptedStarts) -> None:
    starts.refusal = StartRefusal("address", 60)
    for number in range(REMEMBERED + 5):
        await try_start(admission, f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(admission._refused) == 5


async def test_refusals_are_counted_and_their_log_lines_thinned_out(
    admission: StartAdmission, starts: ScriptedStarts, recorder: Recorder
) -> None:
    starts.refusal = StartRefusal("network", 3)
    with capture_logs() as lines:
        for number in range(1000):
            await try_start(admission, f"2001:db8:1:{number:x}::7")
    assert recorder._row[recorder._slot(table.REFUSALS, ("start.network",))] == 1000
    assert len(lines) < 110
    assert lines[0] == {
        "event": "limit.refused",
        "log_level": "warning",
        "limit": "start.network",
        "client_id": "tv-app",
        "address": "2001:db8:1:0::7",
        "times": 1,
    }
    assert {line["address"] for line in lines if line["limit"] == "(others)"} == {""}


@pytest.mark.parametrize("state", ["nearly full", "slow"])
async def test_while_the_store_is_pressed_no_grant_is_started(
    admission: StartAdmission, starts: ScriptedStarts, load: ScriptedLoad, state: LoadState
) -> None:
    """Devices are told to come again within half a minute, at different times."""
    load.now = state
    waits = set()
    with capture_logs() as lines:
        for _ in range(200):
            with pytest.raises(StorePressed) as refused:
                admission.attempt(TV, NAT, LIFETIME_S)
            waits.add(refused.value.wait_s)
    assert starts.asked == []
    assert {min(waits) // PRESSED_PAUSE_S, max(waits) // PRESSED_PAUSE_S} == {1}
    assert len(waits) > 5
    assert [line["limit"] for line in lines] == ["start.store"] * 3
    load.now = ""
    assert await try_start(admission) is None


async def test_refusals_are_answered_late_but_not_any_number(
    admission: StartAdmission, monkeypatch: pytest.MonkeyPatch
) -> None:
    over, slept = asyncio.Event(), []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await over.wait()

    monkeypatch.setattr("deviceflow.policy.admission.asyncio.sleep", sleep)
    held_back = [asyncio.ensure_future(admission.hold_back()) for _ in range(MOST_HELD_BACK + 5)]
    done, _ = await asyncio.wait(held_back, return_when=asyncio.FIRST_COMPLETED)
    assert len(done) == 5
    assert slept == [HOLD_BACK_S] * MOST_HELD_BACK
    over.set()
    await asyncio.wait(held_back)
    monkeypatch.undo()
    monkeypatch.setattr("deviceflow.policy.admission.HOLD_BACK_S", 0.0)
    await admission.hold_back()
    assert admission._held_back == 0


# Stories, by the real script


@dataclass
class World:
    """A fleet of devices, the server's workers, and what time it is."""

    admission: StartAdmission
    clock: Clock
    admitted: int = 0
    refused: int = 0

    def limit_addresses_to(self, number: int) -> None:
        starts, recorder = self.admission._starts, Recorder.alone()
        limits = GrantLimits(starts_per_address=number)
        self.admission = StartAdmission(starts, idle(), limits, self.clock, recorder)

    async def starts(self, number: int, address: str = NAT) -> list[float]:
        """Let devices start at the same moment; return when those that are refused come again."""
        refusals = await asyncio.gather(
            *(try_start(self.admission, address) for _ in range(number))
        )
        waits = [self.clock() + refusal.wait_s for refusal in refusals if refusal]
        self.admitted += number - len(waits)
        self.refused += len(waits)
        return waits


@pytest.fixture
def world(
    connection: Connection, installation: Installation, clock: Clock, recorder: Recorder
) -> World:
    starts = Starts(connection, installation, clock)
    return World(StartAdmission(starts, idle(), GrantLimits(), clock, recorder), clock)


async def test_a_fleet_behind_one_address_starts_after_a_power_cut(world: World) -> None:
    """20,000 devices within two minutes: no device is refused."""
    for _ in range(20):
        assert await world.starts(1000) == []
        world.clock.advance(6)
    assert world.admitted == 20_000


async def test_and_again_when_nobody_has_approved_them(
    world: World, connection: Connection
) -> None:
    """Each starts over when its code expires: a fleet of two thirds of the limit, like above."""
    world.limit_addresses_to(900)
    for _ in range(3):
        assert await world.starts(600) == []
        world.clock.advance(LIFETIME_S)
    assert await connection.command("DBSIZE") < 5


async def test_a_fleet_above_the_limit_is_admitted_within_minutes(world: World) -> None:
    """Twice as many devices: each comes again when it is told to."""
    world.limit_addresses_to(200)
    began = world.clock()
    turns = await world.starts(400)
    assert world.admitted == 200
    while turns:
        turns.sort()
        world.clock.now = turns[0]
        now = [turn for turn in turns if turn <= world.clock()]
        turns = turns[len(now) :] + await world.starts(len(now))
    assert world.clock() - began <= REFILL_S + LATEST_TURN_S
    assert world.refused < 20 * 200, "none came more often than every half minute"


async def test_a_flood_from_one_address_costs_the_store_little(
    world: World, connection: Connection
) -> None:
    """20 s at 300 a second: after what the limit allows, the store is hardly asked."""
    world.limit_addresses_to(600)
    info = await connection.command("INFO", "commandstats")
    for _ in range(200):
        await world.starts(30)
        world.clock.advance(0.1)
        assert await try_start(world.admission, HOME) is None, "others are not touched"
    assert world.admitted <= 600 + 20 + 1
    now = await connection.command("INFO", "commandstats")
    asked = calls_of(now, "evalsha") - calls_of(info, "evalsha") - 200
    assert 0 < asked < 100, "for 6,000 starts"


def calls_of(info: dict[str, object], command: str) -> int:
    found = info.get(f"cmdstat_{command}", {})
    return int(found["calls"]) if isinstance(found, dict) else 0
