"""Polls are never closer than the interval in force, for any sequence of answers."""

import asyncio
import json

from hypothesis import given
from hypothesis import strategies as st

from deviceflow.device.answers import Reply
from deviceflow.device.errors import UnreachableError
from deviceflow.device.events import Decided, Event
from deviceflow.device.polling import Time, poll
from deviceflow.device.schedule import Schedule
from tests.stage.scripted import FakeTime

LIFETIME_S = 3600
# The answer, how long it takes, its `interval`, its Retry-After, and whether it was held.
Answer = tuple[str, float, int | None, float | None, bool]
answers = st.tuples(
    st.sampled_from(["authorization_pending", "slow_down", "lost", "502", "429"]),
    st.floats(0, 60),
    st.none() | st.integers(-10, 120),
    st.none() | st.floats(0, 300),
    st.booleans(),
)


class Server:
    """Gives the answers in turn, and checks the time between each poll and the one before."""

    def __init__(self, script: list[Answer], interval: float, max_wait: int) -> None:
        self.time = FakeTime()
        self.begun = self.time.now
        self.script = script
        self.interval = max(interval, 1)
        self.max_wait = max_wait
        self.asked = 0
        self._earliest = self.begun

    async def ask(self, wait: int) -> Reply:
        now = self.time.now
        assert now >= self._earliest - 1e-6
        assert now < self.begun + LIFETIME_S
        assert 0 <= wait <= min(self.max_wait, self.begun + LIFETIME_S - now)
        said, takes, interval, retry_after, held = self.script[self.asked % len(self.script)]
        self.asked += 1
        self.time.now += takes
        return self._answer(said, interval, retry_after, began=now, held=held)

    def _answer(
        self,
        said: str,
        interval: int | None,
        retry_after: float | None,
        *,
        began: float,
        held: bool,
    ) -> Reply:
        if said == "slow_down":
            self.interval = max(self.interval + 5, interval or 0)
        pending_after_hold = said == "authorization_pending" and held
        self._earliest = (began if pending_after_hold else self.time.now) + self.interval
        if said == "lost":
            raise UnreachableError("https://example.com", "it was lost")
        if said != "authorization_pending":
            self._earliest = max(self._earliest, self.time.now + (retry_after or 0))
        status = int(said) if said.isdigit() else 400
        body = {} if said.isdigit() else {"error": said, "interval": interval}
        return Reply(
            status=status, body=json.dumps(body).encode(), retry_after=retry_after, held=held
        )


async def run(server: Server, interval: int) -> list[Event]:
    schedule = Schedule(interval, server.max_wait, lambda: 0.5)
    time = Time(clock=server.time.clock, sleep=server.time.sleep)
    return [e async for e in poll(server.ask, schedule, expires_in=LIFETIME_S, time=time)]


@given(st.lists(answers, min_size=1, max_size=12), st.integers(0, 120), st.sampled_from([0, 30]))
def test_polls_keep_their_distance_until_the_end(
    script: list[Answer], interval: int, max_wait: int
) -> None:
    """8628-3.5-b, seen from the device."""
    server = Server(script, interval, max_wait)
    events = asyncio.run(run(server, interval))
    assert isinstance(events[-1], Decided)
    assert [event.polls for event in events] == [*range(1, server.asked + 1), server.asked]
    assert server.time.now >= server.begun + LIFETIME_S
