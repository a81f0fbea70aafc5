"""Round trips that callers share: who travels together, and what becomes of a failure."""

import asyncio
from collections.abc import Sequence

import pytest

from deviceflow.store.shared_trips import MOST_AT_ONCE, SharedTrips
from tests.stage.waiting import turns_until


class Road:
    """Round trips that a test lets end. An answer is the double of its item."""

    def __init__(self) -> None:
        self.trips: list[list[int]] = []
        self._ends: list[asyncio.Future[None]] = []
        self.shared = SharedTrips(self._send)

    async def _send(self, items: Sequence[int]) -> list[int]:
        self.trips.append([*items])
        self._ends.append(asyncio.get_running_loop().create_future())
        await self._ends[-1]
        return [2 * item for item in items]

    def end(self, error: Exception | None = None) -> None:
        if error is None:
            self._ends[-1].set_result(None)
        else:
            self._ends[-1].set_exception(error)

    async def begin(self, trips: int) -> None:
        await turns_until(lambda: len(self.trips) == trips)


async def test_a_caller_that_is_alone_waits_for_nothing() -> None:
    road = Road()
    for number in (1, 2):
        answer = asyncio.create_task(road.shared.send(number))
        await road.begin(number)
        road.end()
        assert await answer == 2 * number
    assert road.trips == [[1], [2]]


async def test_callers_during_a_trip_share_the_next_one() -> None:
    road = Road()
    answers = [asyncio.create_task(road.shared.send(0))]
    await road.begin(1)
    answers += [asyncio.create_task(road.shared.send(number)) for number in range(1, 300)]
    await asyncio.sleep(0)
    for trip in (2, 3):
        road.end()
        await road.begin(trip)
    road.end()
    assert await asyncio.gather(*answers) == [2 * number for number in range(300)]
    assert [len(trip) for trip in road.trips] == [1, MOST_AT_ONCE, 299 - MOST_AT_ONCE]


async def test_a_failure_is_that_of_all_who_travel_or_wait() -> None:
    road = Road()
    answers = [asyncio.create_task(road.shared.send(0))]
    await road.begin(1)
    answers += [asyncio.create_task(road.shared.send(1))]
    await asyncio.sleep(0)
    road.end(ValueError("gone"))
    for answer in answers:
        with pytest.raises(ValueError, match="gone"):
            await answer
    assert road.trips == [[0]]
    later = asyncio.create_task(road.shared.send(5))
    await road.begin(2)
    road.end()
    assert await later == 10


async def test_a_caller_that_gives_up_holds_up_no_other() -> None:
    road = Road()
    gone, patient = [asyncio.create_task(road.shared.send(number)) for number in (1, 2)]
    await road.begin(1)
    gone.cancel()
    await asyncio.sleep(0)
    road.end()
    assert await patient == 4
    assert road.trips == [[1, 2]]
