"""Held polls of several workers: the newest hold of a grant ends the others."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from unittest import mock

import pytest

from deviceflow.store import keyspace
from deviceflow.store.errors import StoreUnavailable
from deviceflow.store.holds import HoldMessage, Holds
from tests.stage.store import Store
from tests.stage.waiting import subscribed, until

MakeStore = Callable[[], Awaitable[Store]]

GRANT = 2**63 + 5


class Worker:
    """A worker that holds polls, by grant, with the number of each announcement."""

    def __init__(self, store: Store) -> None:
        self.holds = Holds(store.connection)
        self.holds.on_other(self.heard)
        self.held: dict[int, int] = {}
        self.messages = 0
        store.feed.on_hold = self.hear

    def hold(self, grant_id: int) -> None:
        self.held[grant_id] = self.holds.announce(grant_id)

    def hear(self, message: bytes) -> None:
        self.messages += 1
        self.holds.hear(message)

    def heard(self, grant_id: int, own: int) -> None:
        if grant_id in self.held and self.held[grant_id] <= own:
            del self.held[grant_id]


@pytest.fixture
async def workers(store: Store, another: MakeStore) -> AsyncIterator[list[Worker]]:
    """Two workers that hear each other."""
    other = await another()
    made = [Worker(store), Worker(other)]
    async with store.fed(), other.fed():
        await subscribed(store.connection, 2)
        yield made
        for worker in made:
            await worker.holds.close()


async def test_the_newer_hold_ends_the_older(workers: list[Worker]) -> None:
    older, newer = workers
    older.hold(GRANT)
    await until(lambda: newer.messages == 1)
    newer.hold(GRANT)
    await until(lambda: not older.held)
    await until(lambda: newer.messages == 2)
    assert newer.held


async def test_of_two_at_the_same_instant_one_stays(workers: list[Worker]) -> None:
    for _ in range(5):
        for worker in workers:
            worker.held.clear()
            worker.messages = 0
            worker.hold(GRANT)
        await until(lambda: all(worker.messages == 2 for worker in workers))
        assert [len(worker.held) for worker in workers].count(1) == 1


async def test_many_holds_are_few_messages(workers: list[Worker]) -> None:
    one, other = workers
    for grant_id in range(1000):
        one.hold(grant_id)
    await until(lambda: other.messages)
    assert other.messages == 1
    # What comes while a message is on its way is in the next one.
    one.hold(1)
    await until(lambda: other.messages == 2)


async def test_without_the_store_nothing_is_announced_and_nothing_breaks(store: Store) -> None:
    worker = Worker(store)
    failing = mock.AsyncMock(side_effect=StoreUnavailable)
    with mock.patch.object(store.connection, "publish", failing):
        worker.hold(GRANT)
        await until(lambda: failing.await_count == 1)
        await asyncio.sleep(0)
        worker.hold(GRANT)
        await until(lambda: failing.await_count == 2)
    await worker.holds.close()


def test_a_message_is_read_as_it_was_written() -> None:
    message = HoldMessage("ab12", 17, (GRANT, 0))
    assert HoldMessage.parse(message.message.encode()) == message


@pytest.mark.parametrize("noise", [b"", b"x", b"x y", b"\xff 1", b"w 1 zz"])
async def test_noise_is_ignored(store: Store, noise: bytes) -> None:
    assert HoldMessage.parse(noise) is None
    worker = Worker(store)
    worker.held[GRANT] = 0
    worker.hear(noise)
    assert worker.held


def test_the_channel_is_not_that_of_the_decisions() -> None:
    """A worker of an earlier version would log each message that it does not know."""
    assert keyspace.HOLDS != keyspace.CHANNEL
