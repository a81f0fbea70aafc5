"""The end of tasks that swallow a cancellation, as `asyncio.wait_for` does before Python 3.12."""

import asyncio

import pytest

from deviceflow.tasks import end, run_together
from tests.stage.waiting import until


class Stubborn:
    """A loop that swallows its first cancellation, and ends at the second."""

    def __init__(self) -> None:
        self.cancelled = 0
        self.runs = asyncio.Event()

    async def run(self) -> None:
        while self.cancelled < 2:
            self.runs.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled += 1
        raise asyncio.CancelledError


async def _fail() -> None:
    raise ZeroDivisionError


async def test_a_task_that_swallows_a_cancellation_is_ended() -> None:
    stubborn = Stubborn()
    task = asyncio.create_task(stubborn.run())
    await stubborn.runs.wait()
    await end(task)
    assert task.cancelled()


async def test_who_ends_it_may_be_cancelled_meanwhile() -> None:
    stubborn = Stubborn()
    task = asyncio.create_task(stubborn.run())
    await stubborn.runs.wait()
    ending = asyncio.create_task(end(task))
    await until(lambda: stubborn.cancelled == 1)
    ending.cancel()
    await asyncio.wait([ending])
    assert ending.cancelled()
    assert task.cancelled()


async def test_the_end_of_a_task_that_failed_says_so() -> None:
    task = asyncio.create_task(_fail())
    await asyncio.wait([task])
    with pytest.raises(ZeroDivisionError):
        await end(task)


async def test_loops_end_together_when_cancelled() -> None:
    loops = [Stubborn(), Stubborn()]
    both = asyncio.create_task(run_together(*(each.run() for each in loops)))
    for each in loops:
        await each.runs.wait()
    both.cancel()
    await asyncio.wait([both])
    assert both.cancelled()
    assert [each.cancelled for each in loops] == [2, 2]


async def test_a_loop_that_fails_ends_the_others() -> None:
    other = Stubborn()
    with pytest.raises(ZeroDivisionError):
        await run_together(other.run(), _fail())
    assert other.cancelled == 2
