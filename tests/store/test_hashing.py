"""The line for hashes: whose turn it is, without a clock and mostly without a thread."""

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

import pytest

from deviceflow.store.hashing import (
    HASHING_NICENESS,
    MOST_WAITING,
    HashingBusy,
    HashingQueue,
    Sender,
    SenderGone,
)


class ByHand(Executor):
    """Work that ends when a test says so. `began`: what was begun, in its order."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self._open: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **_: Any) -> Future[Any]:  # noqa: ANN401
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        self._open.append((future, fn))
        self.began.append(fn(*args))
        return future

    async def end_one(self) -> None:
        """End the oldest work, and let the queue begin the next."""
        future, work = self._open.pop(0)
        future.set_result(work())
        await turns()


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
def pool() -> ByHand:
    return ByHand()


@pytest.fixture
def line(pool: ByHand) -> HashingQueue:
    return HashingQueue(pool)


class Person:
    """Somebody at an address who sends a password."""

    def __init__(self, line: HashingQueue, name: str, address: str, network: str | None) -> None:
        self.has_gone = False
        sender = Sender(address, lambda: self.has_gone, network)
        self.answer = asyncio.ensure_future(line.run(sender, lambda: name))


async def come(
    line: HashingQueue, *people: tuple[str, str], network: str | None = None
) -> list[Person]:
    found = [Person(line, name, address, network) for name, address in people]
    await turns()
    return found


async def leave(*people: Person) -> None:
    """Those whose turn has not come hear that they have gone, if they are asked."""
    await asyncio.gather(*(person.answer for person in people), return_exceptions=True)


async def test_one_runs_at_a_time(line: HashingQueue, pool: ByHand) -> None:
    people = await come(line, *((f"p{n}", "home") for n in range(4)))
    assert pool.began == ["p0"]
    assert line.waiting == 3
    for _ in people:
        await pool.end_one()
    assert [await person.answer for person in people] == pool.began == ["p0", "p1", "p2", "p3"]
    assert line.waiting == 0


async def test_without_a_wait_everybody_is_served(line: HashingQueue, pool: ByHand) -> None:
    """A sender that has closed its end of the connection may still read."""
    answer = asyncio.ensure_future(line.run(Sender("home", lambda: True), lambda: "first"))
    await turns()
    assert pool.began == ["first"]
    await pool.end_one()
    assert await answer == "first"


async def test_addresses_take_turns(line: HashingQueue, pool: ByHand) -> None:
    crowd = await come(line, *((f"a{n}", "a") for n in range(6)))
    others = await come(line, ("b0", "b"), ("b1", "b"), ("c0", "c"))
    for _ in range(9):
        await pool.end_one()
    assert pool.began == ["a0", "a1", "b0", "c0", "a2", "b1", "a3", "a4", "a5"]
    await leave(*crowd, *others)


async def test_addresses_of_one_network_share_a_turn(line: HashingQueue, pool: ByHand) -> None:
    """A site has 65,536 networks of the size that an address counts as."""
    crowd = await come(line, *((f"a{n}", f"a{n % 3}") for n in range(6)), network="site")
    others = await come(line, ("b0", "b"), ("b1", "b"))
    for _ in range(8):
        await pool.end_one()
    assert pool.began == ["a0", "a1", "b0", "a2", "b1", "a3", "a4", "a5"]
    await leave(*crowd, *others)


async def test_a_full_line_refuses_the_newest_of_the_network_with_the_most(
    line: HashingQueue,
) -> None:
    """One from each address of a network: it is the network that has too many."""
    honest = await come(line, ("r0", "x"), ("h0", "home"), ("h1", "home"))
    crowd = await come(line, *((f"a{n}", f"a{n}") for n in range(MOST_WAITING)), network="site")
    assert [n for n, person in enumerate(crowd) if person.answer.done()] == [254, 255]
    assert not any(person.answer.done() for person in honest)
    for person in (*crowd, *honest):
        person.answer.cancel()
    await leave(*crowd, *honest)


async def test_nobody_is_refused_whose_turn_is_next(line: HashingQueue) -> None:
    crowd = await come(line, *((f"x{n}", f"address-{n}") for n in range(MOST_WAITING + 2)))
    assert [n for n, person in enumerate(crowd) if person.answer.done()] == [len(crowd) - 1]
    for person in crowd:
        person.answer.cancel()
    await leave(*crowd)


async def test_beside_abandoned_attempts(line: HashingQueue, pool: ByHand) -> None:
    """120 from 12 addresses, which hung up: an honest person has the next turn."""
    crowd = await come(line, *((f"x{n}", f"address-{n % 12}") for n in range(120)))
    for person in crowd:
        person.has_gone = True
    (honest,) = await come(line, ("honest", "home"))
    await pool.end_one()
    assert pool.began == ["x0", "honest"]
    await pool.end_one()
    assert await honest.answer == "honest"
    ended = await asyncio.gather(*(p.answer for p in crowd), return_exceptions=True)
    assert [type(each) for each in ended[1:]] == [SenderGone] * 119


async def test_beside_attempts_that_wait(line: HashingQueue, pool: ByHand) -> None:
    """The same 120, all waiting: an honest person has a turn in the first round."""
    crowd = await come(line, *((f"x{n}", f"address-{n % 12}") for n in range(120)))
    (honest,) = await come(line, ("honest", "home"))
    while not honest.answer.done():
        await pool.end_one()
    assert pool.began.index("honest") <= 13
    for person in crowd:
        person.answer.cancel()
    await leave(*crowd)


async def test_a_full_line_refuses_the_newest_of_the_most(line: HashingQueue) -> None:
    places = MOST_WAITING + 1
    crowd = await come(line, *((f"x{n}", f"address-{n % 4}") for n in range(places)))
    (honest,) = await come(line, ("honest", "home"))
    refused = [n for n, person in enumerate(crowd) if person.answer.done()]
    assert (len(refused), refused[0] >= places - 4) == (1, True)
    with pytest.raises(HashingBusy):
        await crowd[refused[0]].answer
    assert not honest.answer.done()
    for person in (*crowd, honest):
        person.answer.cancel()
    await leave(*crowd, honest)


async def test_a_full_line_of_people_who_have_gone_takes_everybody(line: HashingQueue) -> None:
    crowd = await come(line, *((f"x{n}", "home") for n in range(MOST_WAITING + 1)))
    for person in crowd:
        person.has_gone = True
    (honest,) = await come(line, ("honest", "home"))
    assert (line.waiting, honest.answer.done()) == (1, False)
    for person in (crowd[0], honest):
        person.answer.cancel()
    await leave(*crowd, honest)


async def test_a_failure_is_the_senders_and_frees_the_thread() -> None:
    """In a real thread, which has a low priority."""
    line = HashingQueue()
    priorities: list[int] = []

    def work() -> None:
        if sys.platform == "linux":
            priorities.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        raise ZeroDivisionError

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            await line.run(Sender(), work)
    if sys.platform == "linux":
        assert min(priorities) >= HASHING_NICENESS
    line.close()
