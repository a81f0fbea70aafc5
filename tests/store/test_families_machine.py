"""The life of a refresh token on a real server: honest devices and thieves, at random.

A request is in two places before it has done something: on its way, and between the look at
the family and the change of it. The machine moves requests and answers through these in any
order, loses them, and lets time pass between. It drops a request that has not arrived at all
when its successor is in use, for that cannot be told from a thief's.
"""

import asyncio
import time
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from deviceflow.store.families import SAME_SUCCESSOR_S, Family, RefreshToken
from deviceflow.store.installation import Installation
from tests.stage.clock import Clock
from tests.stage.examples import unless_few
from tests.stage.machine import StoreMachine
from tests.stage.store import Store
from tests.stage.valkey import Valkey, open_connection

MOST_REQUESTS = 5

which = st.integers(0, MOST_REQUESTS - 1)


class Answer(NamedTuple):
    """What a request got, and for which token."""

    presented: RefreshToken
    successor: RefreshToken


class DeviceLife(StoreMachine):
    """One device, which always sends the token that it was given last."""

    def __init__(self, valkey: Valkey, clock: Clock) -> None:
        super().__init__(valkey, clock)
        self.sent: list[RefreshToken] = []
        self.looked_at: list[tuple[RefreshToken, Family]] = []
        self.answers: list[Answer] = []

    @initialize()
    def begin(self) -> None:
        self.store = self.wait_for(self.empty_store())
        self.held, _ = self.wait_for(self.store.family(lifetime=100_000))
        self.before = self.held
        self.is_used = False

    @precondition(lambda self: len(self.sent) < MOST_REQUESTS)
    @rule()
    def send(self) -> None:
        """For the first time, once more after a time-out, or twice at once."""
        self.sent.append(self.held)
        self.is_used = True

    @precondition(lambda self: self.sent)
    @rule(index=which)
    def arrive(self, index: int) -> None:
        presented = self.sent.pop(index % len(self.sent))
        found = self.wait_for(self.store.families.find(presented))
        assert found is not None
        assert found.is_good, "an honest device's token was taken for a replay"
        self.looked_at.append((presented, found.family))

    @precondition(lambda self: self.looked_at)
    @rule(index=which)
    def land(self, index: int) -> None:
        """However late: only a token that the device holds no more may be refused."""
        presented, family = self.looked_at.pop(index % len(self.looked_at))
        successor = self.wait_for(self.store.families.rotate(presented, family))
        if presented == self.held:
            assert successor is not None, "an honest device is stranded"
            self.sent = [token for token in self.sent if token == self.held]
        if successor is not None:
            self.answers.append(Answer(presented, successor))

    @precondition(lambda self: self.answers)
    @rule(index=which)
    def receive(self, index: int) -> None:
        """Also the answer to an earlier request, as long as the next token is not in use."""
        answer = self.answers.pop(index % len(self.answers))
        if answer.presented == self.held:
            self.before, self.held, self.is_used = self.held, answer.successor, False
        elif answer.presented == self.before and not self.is_used:
            self.held = answer.successor

    @precondition(lambda self: self.answers)
    @rule(index=which)
    def lose(self, index: int) -> None:
        self.answers.pop(index % len(self.answers))

    @rule(seconds=st.sampled_from([1, SAME_SUCCESSOR_S, 300]))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @invariant()
    def the_device_goes_on(self) -> None:
        found = self.wait_for(self.store.families.find(self.held))
        assert found is not None
        assert found.is_good


def test_no_honest_device_is_stranded(valkey: Valkey, clock: Clock) -> None:
    """9700-4.14.2-a: whatever happens on the way, and in whatever order."""
    start = clock()

    def make() -> DeviceLife:
        clock.now = start
        return DeviceLife(valkey, clock)

    run_state_machine_as_test(
        make,  # type: ignore[arg-type]  # any factory will do
        settings=settings(max_examples=unless_few(80), stateful_step_count=40, deadline=None),
    )


async def is_found(url: str, turns: list[bool]) -> bool:
    """Whether somebody replays when two with one token take `turns` at refreshing."""
    connection = open_connection(url)
    await connection.command("FLUSHALL")
    clock = Clock(float(int(time.time())))
    store = Store(connection, await Installation.open(connection), clock)
    token, _ = await store.family(lifetime=100_000)
    holds = {True: token, False: token}
    try:
        for turn in turns:
            clock.advance(SAME_SUCCESSOR_S)
            found = await store.families.find(holds[turn])
            assert found is not None
            if not found.is_good:
                return True
            successor = await store.families.rotate(holds[turn], found.family)
            assert successor is not None
            holds[turn] = successor
        return False
    finally:
        await connection.close()


@given(first=st.permutations([True, True, False, False]), rest=st.lists(st.booleans(), max_size=4))
def test_a_thief_is_found(valkey: Valkey, first: list[bool], rest: list[bool]) -> None:
    """9700-2.2.2-a: at the latest when both have used what their first refresh gave them."""
    assert asyncio.run(is_found(valkey.url, [*first, *rest]))
