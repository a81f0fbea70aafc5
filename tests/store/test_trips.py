"""Round trips of one connection: who travels together, over how many lines, and what fails."""

import asyncio
from collections.abc import Sequence
from typing import Any
from unittest import mock

import pytest

from deviceflow.store.shapes import Command
from deviceflow.store.trips import LINES, MOST_COMMANDS, Trips
from tests.stage.waiting import turns_until


class Server:
    """Trips that a test lets end. The answer to a command is its second word."""

    def __init__(self) -> None:
        self.sent: list[list[Any]] = []
        self._ends: list[asyncio.Future[None]] = []
        self.within_s = self.trip_within_s = 60.0
        self.trips = Trips(self._run, self._limit)

    async def _run(self, commands: Sequence[Command]) -> list[Any]:
        self.sent.append([command[1] for command in commands])
        self._ends.append(asyncio.get_running_loop().create_future())
        await self._ends[-1]
        return [command[1] for command in commands]

    def _limit(self) -> float:
        """That of a trip, or that of a caller."""
        is_trip = asyncio.current_task() in self.trips._lines
        return self.trip_within_s if is_trip else self.within_s

    def call(self, *keys: int) -> asyncio.Task[list[Any]]:
        return asyncio.create_task(self.trips.run([("GET", key) for key in keys]))

    async def fill_lines(self) -> list[asyncio.Task[list[Any]]]:
        """Begin as many trips as may go on at the same time, of one caller each: 0, 1 and so on."""
        calls = []
        for number in range(LINES):
            calls.append(self.call(number))
            await self.begin(number + 1)
        return calls

    def end(self, trip: int, error: BaseException | None = None) -> None:
        if error is None:
            self._ends[trip].set_result(None)
        else:
            self._ends[trip].set_exception(error)

    async def begin(self, trips: int) -> None:
        await turns_until(lambda: len(self.sent) == trips)


async def test_callers_of_the_same_moment_travel_together() -> None:
    server = Server()
    calls = [server.call(1), server.call(2, 3), server.call(4)]
    await server.begin(1)
    server.end(0)
    assert [await call for call in calls] == [[1], [2, 3], [4]]
    assert server.sent == [[1, 2, 3, 4]]


async def test_further_callers_wait_while_all_lines_are_busy() -> None:
    server = Server()
    calls = await server.fill_lines()
    calls += [server.call(number) for number in range(LINES, LINES + 3)]
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(server.sent) == LINES
    server.end(0)
    await server.begin(LINES + 1)
    assert server.sent[-1] == [LINES, LINES + 1, LINES + 2]
    for trip in range(1, LINES + 1):
        server.end(trip)
    assert await asyncio.gather(*calls) == [[number] for number in range(LINES + 3)]


async def test_a_caller_finds_a_line_right_after_the_last_one_ended() -> None:
    """In whatever turn of the loop it comes: no caller waits for a line that has stopped."""
    for turns in range(8):
        server = Server()
        first = server.call(1)
        await server.begin(1)
        server.end(0)
        for _ in range(turns):
            await asyncio.sleep(0)
        second = server.call(2)
        await server.begin(2)
        server.end(1)
        assert [await first, await second] == [[1], [2]]


async def test_a_trip_has_its_cap() -> None:
    server = Server()
    calls = [server.call(*range(100)) for _ in range(4)]
    await server.begin(2)
    assert [len(sent) for sent in server.sent] == [200, 200]
    assert max(len(sent) for sent in server.sent) <= MOST_COMMANDS
    server.end(0)
    server.end(1)
    await asyncio.gather(*calls)


async def test_a_caller_with_more_than_the_cap_travels_alone() -> None:
    server = Server()
    calls = [server.call(*range(MOST_COMMANDS + 1)), server.call(7)]
    await server.begin(2)
    assert [len(sent) for sent in server.sent] == [MOST_COMMANDS + 1, 1]
    server.end(0)
    server.end(1)
    await asyncio.gather(*calls)


async def test_a_failure_is_that_of_one_trip_and_each_caller_has_its_own() -> None:
    server = Server()
    calls = [server.call(1), server.call(2)]
    await server.begin(1)
    later = server.call(3)
    await server.begin(2)
    error = ConnectionError("gone")
    server.end(0, error)
    server.end(1)
    failures = await asyncio.gather(*calls, return_exceptions=True)
    assert [str(failure) for failure in failures] == ["gone", "gone"]
    assert failures[0] is not failures[1]
    assert [getattr(failure, "__cause__", None) for failure in failures] == [error, error]
    assert await later == [3]
    again = server.call(4)
    await server.begin(3)
    server.end(2)
    assert await again == [4]


async def test_a_caller_that_gives_up_before_a_trip_sends_nothing() -> None:
    server = Server()
    calls = await server.fill_lines()
    gone, stays = server.call(8), server.call(9)
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    server.end(0)
    await server.begin(LINES + 1)
    assert server.sent[-1] == [9]
    for trip in range(1, LINES + 1):
        server.end(trip)
    await asyncio.gather(*calls, stays)


async def test_the_longest_wait_is_that_of_one_caller() -> None:
    server = Server()
    with mock.patch.object(asyncio.get_running_loop(), "time", return_value=100.0) as clock:
        assert server.trips.longest_wait_s == 0
        first = server.call(1)
        await server.begin(1)
        clock.return_value += 1.5
        second = server.call(2)
        await server.begin(2)
        assert server.trips.longest_wait_s == 1.5
        server.end(0)
        await first
        clock.return_value += 1.0
        assert server.trips.longest_wait_s == 1.0
        server.end(1)
        await second
        assert server.trips.longest_wait_s == 0


async def test_nobody_waits_longer_than_allowed() -> None:
    """A caller gives up in a trip that hangs, and behind it. What waited behind it is not sent."""
    server = Server()
    server.within_s = 0.2
    calls = await server.fill_lines()
    calls.append(server.call(9))
    for call in calls:
        with pytest.raises(TimeoutError):
            await call
    server.within_s = 60.0
    again = server.call(10)
    server.end(0)
    await server.begin(LINES + 1)
    server.end(LINES)
    assert await again == [10]
    assert server.sent == [*([number] for number in range(LINES)), [10]]
    for trip in range(1, LINES):
        server.end(trip)


async def test_a_trip_that_hangs_frees_its_line() -> None:
    server = Server()
    server.trip_within_s = 0.01
    calls = await server.fill_lines()
    for call in calls:
        with pytest.raises(TimeoutError):
            await call
    server.trip_within_s = 60.0
    again = server.call(10)
    await server.begin(LINES + 1)
    server.end(LINES)
    assert await again == [10]


async def test_closing_ends_the_trips_of_callers_that_have_gone() -> None:
    server = Server()
    gone, waits = server.call(1), server.call(2)
    await server.begin(1)
    gone.cancel()
    await asyncio.wait([gone])
    await server.trips.close()
    assert not server.trips._lines
    assert server._ends[0].cancelled(), "nothing goes on behind it"
    await asyncio.wait([waits])
    assert waits.cancelled()
