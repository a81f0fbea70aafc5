"""A document that is kept: fetched once, again after a time, and not too often."""

import asyncio

import pytest

from deviceflow.upstream.errors import Cause, UpstreamError
from deviceflow.upstream.kept import DOCUMENT_KEPT_S, FLOOR_S, Kept
from tests.stage.clock import Clock

DOWN = UpstreamError(Cause.UNREACHABLE, "no answer in time")


class Source:
    """Gives the numbers of the fetches, or fails."""

    def __init__(self) -> None:
        self.fetches = 0
        self.failure: UpstreamError | None = None
        self.wait = asyncio.Event()
        self.wait.set()

    async def __call__(self) -> int:
        self.fetches += 1
        number = self.fetches
        await self.wait.wait()
        if self.failure:
            raise self.failure
        return number


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def kept(source: Source, clock: Clock) -> Kept[int]:
    return Kept(source, clock)


async def test_it_is_fetched_once(kept: Kept[int], clock: Clock) -> None:
    assert await kept.get() == 1
    clock.now += DOCUMENT_KEPT_S - 1
    assert await kept.get() == 1
    clock.now += 1
    assert await kept.get() == 2


async def test_many_who_wait_cause_one_fetch(kept: Kept[int], source: Source) -> None:
    source.wait.clear()
    waiting = [asyncio.create_task(kept.get()) for _ in range(5)]
    await asyncio.sleep(0)
    source.wait.set()
    assert await asyncio.gather(*waiting) == [1] * 5
    assert source.fetches == 1


async def test_a_renewal_has_a_floor(kept: Kept[int], clock: Clock) -> None:
    assert await kept.get() == 1
    assert await kept.renew() == 1
    clock.now += FLOOR_S
    assert await kept.renew() == 2
    assert await kept.renew() == 2


async def test_a_failure_is_told_to_all_until_the_floor(
    kept: Kept[int], source: Source, clock: Clock
) -> None:
    source.failure = DOWN
    for _ in range(3):
        with pytest.raises(UpstreamError):
            await kept.get()
    assert source.fetches == 1
    source.failure = None
    clock.now += FLOOR_S
    assert await kept.get() == 2


async def test_an_old_document_serves_while_no_new_one_comes(
    kept: Kept[int], source: Source, clock: Clock
) -> None:
    assert await kept.get() == 1
    source.failure = DOWN
    clock.now += DOCUMENT_KEPT_S
    assert await kept.get() == 1
    assert await kept.renew() == 1
    assert source.fetches == 2


async def test_a_person_who_leaves_takes_no_other_one_along(
    kept: Kept[int], source: Source
) -> None:
    source.wait.clear()
    gone = asyncio.create_task(kept.get())
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    source.wait.set()
    assert await kept.get() == 2
