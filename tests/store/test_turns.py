"""Calls that take turns."""

import asyncio

import pytest

from deviceflow.store.turns import Turns


async def test_one_goes_on_and_the_others_wait_for_their_turn() -> None:
    turns = Turns(1)
    order: list[int] = []
    over = asyncio.Event()

    async def call(number: int) -> None:
        async with turns:
            order.append(number)
            await over.wait()

    calls = [asyncio.create_task(call(number)) for number in range(3)]
    await asyncio.sleep(0)
    assert order == [0]
    assert turns.longest_wait_s > 0
    over.set()
    await asyncio.gather(*calls)
    assert order == [0, 1, 2]
    assert turns.longest_wait_s == 0


async def test_a_turn_that_fails_is_given_back() -> None:
    turns = Turns(1)
    with pytest.raises(ZeroDivisionError):
        async with turns:
            raise ZeroDivisionError
    async with asyncio.timeout(1), turns:
        pass


async def test_a_call_that_gives_up_waits_no_longer() -> None:
    turns = Turns(1)
    async with turns:
        waiting = asyncio.create_task(turns.__aenter__())
        await asyncio.sleep(0)
        assert turns.longest_wait_s > 0
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert turns.longest_wait_s == 0
