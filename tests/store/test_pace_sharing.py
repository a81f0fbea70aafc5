"""The pace of two hosts that share one store."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import structlog

from deviceflow.core.device_code import NONCE_BITS
from deviceflow.core.pace import PaceTable
from deviceflow.core.pace_gossip import PaceGossip
from deviceflow.store import keyspace
from deviceflow.store.connection import Connection
from deviceflow.store.pace_sharing import GONE_AFTER_S, PaceSharing
from deviceflow.tasks import end
from tests.stage.store import Store
from tests.stage.waiting import until

MakeStore = Callable[[], Awaitable[Store]]

SLOTS = 1024
INTERVAL_S = 5
MARK = 0x5EED


class Host:
    """A host: its pace table, and what shares it. `now`: its steady clock, in s."""

    def __init__(self, connection: Connection, now: float, slots: int = SLOTS) -> None:
        self.now = now
        memory = memoryview(bytearray(8 * slots))
        self.entries = memory.cast("Q")
        self.table = PaceTable(memory, 60)
        self.sharing = PaceSharing(connection, PaceGossip(memory), lambda: self.now)

    def poll(self, slot: int) -> int:
        """Judge a poll. Return 0 if it is in time, else the interval."""
        grant_id = slot << NONCE_BITS | MARK
        return self.table.judge(grant_id, slot, int(self.now * 1000), INTERVAL_S)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.sharing.run())
        try:
            yield
        finally:
            await end(task)


@pytest.fixture
async def hosts(connection: Connection, another: MakeStore) -> AsyncIterator[list[Host]]:
    """Two hosts that share their pace. Their clocks have nothing in common."""
    made = [Host(connection, 1_000.0), Host((await another()).connection, 9_999_999.0)]
    async with made[0].running(), made[1].running():
        yield made


def move_on(hosts: list[Host], seconds: float) -> None:
    for host in hosts:
        host.now += seconds


async def until_they_meet(hosts: list[Host]) -> None:
    def have_met() -> bool:
        move_on(hosts, 0.01)
        return all(host.sharing.hosts for host in hosts)

    await until(have_met)


async def test_a_poll_on_one_host_counts_on_the_other(hosts: list[Host]) -> None:
    await until_they_meet(hosts)
    first, second = hosts
    assert first.poll(1) == 0
    await until(lambda: second.entries[1])
    move_on(hosts, 1)
    assert second.poll(1) == INTERVAL_S + 5


async def test_a_host_that_joins_hears_of_earlier_polls(
    connection: Connection, another: MakeStore
) -> None:
    first = Host(connection, 1_000.0)
    second = Host((await another()).connection, 5.0)
    async with first.running():
        first.poll(7)
        async with second.running():
            await until_they_meet([first, second])
            await until(lambda: second.entries[7])


async def test_a_host_that_is_silent_is_gone(hosts: list[Host]) -> None:
    await until_they_meet(hosts)
    lonely = hosts[0]
    lonely.sharing.hosts[b"stranger"] = lonely.now - GONE_AFTER_S - 1
    await until(lambda: b"stranger" not in lonely.sharing.hosts)
    assert len(lonely.sharing.hosts) == 1


async def test_a_host_alone_only_says_that_it_is_there(connection: Connection) -> None:
    host = Host(connection, 1_000.0)
    sent: list[bytes] = []
    async with connection.subscription(keyspace.PACE) as pubsub:
        assert (await anext(pubsub.listen()))["type"] in {"subscribe", "ssubscribe"}
        host.poll(1)
        for _ in range(8):
            await host.sharing.tell()
            host.now += 0.25
        await connection.publish(keyspace.PACE, b"the end")
        while (data := (await anext(pubsub.listen()))["data"]) != b"the end":
            sent.append(data)
    assert [len(message) for message in sent] == [13, 13]


async def test_tables_of_different_sizes_are_not_mixed(
    connection: Connection, another: MakeStore
) -> None:
    hosts = [Host(connection, 1.0), Host((await another()).connection, 1.0, slots=2 * SLOTS)]
    with structlog.testing.capture_logs() as logs:
        async with hosts[0].running(), hosts[1].running():

            def warned() -> int:
                move_on(hosts, 0.01)
                return sum(entry["event"] == "pace.not_shared" for entry in logs)

            await until(lambda: warned() == 2)
            hosts[0].now += 2
            await hosts[0].sharing.tell()
    assert not hosts[0].sharing.hosts
    assert sum(entry["event"] == "pace.not_shared" for entry in logs) == 2


async def test_strange_messages_are_ignored(connection: Connection) -> None:
    host = Host(connection, 1.0)
    for data in (b"", b"\x01", b"\x02" + b"x" * 12, b"\x01" + b"x" * 13):
        host.sharing.hear(data)
    assert not host.sharing.hosts
