"""The faults of a run: what they do, one row each, and in which order they come.

Each fault heals by itself, and has ended when all hosts are ready again. Faults come in rounds:
some of them in close succession, and then a calm time, in which the rules about delays can judge.
"""

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, NamedTuple

from deviceflow.store import keyspace
from tests.histories.history import History, Outcome
from tests.histories.site import CLUSTER, RIGHT_TIME, SENTINEL, SINGLE, STORES, Site
from tests.histories.story import LATE_S
from tests.stage.failing_over import (
    is_served_by,
    move_slots,
    primary_of,
    primary_with,
    replicas_are_connected,
    switch,
    switch_shard,
)
from tests.stage.hosts import Host
from tests.stage.path import Path
from tests.stage.program import children
from tests.stage.valkey import Valkey

NEMESIS = "nemesis"
FAULTS_IN_A_ROUND = 6
PAUSE_S = 1.0
CALM_S = LATE_S + 6.0
SHORT_S, LONG_S = 0.5, 3.0
DELAY_S = 0.3
JUMP_S = 4.0
MOVED_SLOTS = 30
SWITCHED_S = 3.0
PRIMARIES = {SENTINEL: 1, CLUSTER: 3}


class Fault(NamedTuple):
    """A fault: its name, and the stores with which it can happen.

    `happen` brings it about and heals it. `weight`: how often it comes, beside the others.
    `args`: what the rules must know of it. It `fails_over` if a server of the store takes over from
    another one; `jump_s` is how far a clock is turned.
    """

    name: str
    stores: tuple[str, ...]
    happen: Callable[[Site, random.Random], Awaitable[None]]
    weight: int = 2
    args: Mapping[str, bool | float] = {}


async def kill_worker(site: Site, chance: random.Random) -> None:
    """Kill a worker. The supervisor starts another one."""
    host = chance.choice(site.hosts)
    victim = chance.choice(host.workers)
    _signal([victim], signal.SIGKILL)
    while victim in host.workers:  # noqa: ASYNC110, another process
        await asyncio.sleep(SHORT_S / 10)


async def pause_worker(site: Site, chance: random.Random) -> None:
    """Stop a worker for some time."""
    await _pause([chance.choice(chance.choice(site.hosts).workers)], chance)


async def pause_host(site: Site, chance: random.Random) -> None:
    """Stop all processes of a host for some time."""
    host = chance.choice(site.hosts)
    await _pause([host.pid, *children(host.pid)], chance)


async def kill_host(site: Site, chance: random.Random) -> None:
    """Kill a supervisor, with which its workers end, and start it again."""
    await asyncio.to_thread(_restart, chance.choice(site.hosts))


async def turn_clock(site: Site, chance: random.Random) -> None:
    """Turn the clock of a host for some time, and then back."""
    clock = chance.choice(site.clocks)
    clock.write_text(f"{chance.uniform(-JUMP_S, JUMP_S):+.1f}s", encoding="utf-8")
    try:
        await asyncio.sleep(chance.uniform(SHORT_S, LONG_S))
    finally:
        clock.write_text(RIGHT_TIME, encoding="utf-8")


async def kill_store(site: Site, chance: random.Random) -> None:
    """Kill the store, and start it with what it has written."""
    await asyncio.to_thread(site.store.kill)
    await asyncio.sleep(chance.uniform(0, LONG_S))
    await asyncio.to_thread(site.store.start)


async def pause_store(site: Site, chance: random.Random) -> None:
    """Stop the store for some time."""
    async with _stopped(site.store):
        await asyncio.sleep(chance.uniform(SHORT_S, LONG_S))


async def forget_scripts(site: Site, _: random.Random) -> None:
    """Have every server of the store forget the scripts."""
    for server in getattr(site.store, "servers", [site.store]):
        async with server.admin() as client:
            await client.script_flush()


async def cut_messages(site: Site, chance: random.Random) -> None:
    """Cut the connections that hear push messages, again and again for some time."""
    for _ in range(chance.randint(5, 20)):
        for server in getattr(site.store, "servers", [site.store]):
            async with server.admin() as client:
                await client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        await asyncio.sleep(SHORT_S / 5)


async def cut_store(site: Site, chance: random.Random) -> None:
    """Cut one host off from the store."""
    async with _healed(chance.choice(site.store_paths), chance) as path:
        path.refuses = True
        path.cut()


async def stall_store(site: Site, chance: random.Random) -> None:
    """Let nothing through between one host and the store, without breaking a connection."""
    async with _healed(chance.choice(site.store_paths), chance) as path:
        path.hold_up()


async def slow_store(site: Site, chance: random.Random) -> None:
    """Delay what one host and the store say."""
    async with _healed(chance.choice(site.store_paths), chance) as path:
        path.delay_s = DELAY_S


async def lose_store_answers(site: Site, chance: random.Random) -> None:
    """Lose what the store answers to one host, and with it the connection."""
    async with _healed(chance.choice(site.store_paths), chance) as path:
        path.loses_answers = True


async def lose_messages(site: Site, chance: random.Random) -> None:
    """Lose the push messages to one host: its subscriptions look alive, and are not."""
    async with _healed(chance.choice(site.store_paths), chance) as path:
        channel = keyspace.CHANNEL.encode()
        path.drops = b"message\r\n$%d\r\n%b\r\n" % (len(channel), channel)


async def cut_clients(site: Site, _: random.Random) -> None:
    """Cut the connections of all devices and people."""
    for path in (site.front, *site.doors):
        path.cut()


async def stall_clients(site: Site, chance: random.Random) -> None:
    """Let nothing through between clients and hosts."""
    async with AsyncExitStack() as stack:
        for path in (site.front, *site.doors):
            stack.callback(path.heal)
            path.hold_up()
        await asyncio.sleep(chance.uniform(SHORT_S, LONG_S))


async def lose_answers(site: Site, chance: random.Random) -> None:
    """Lose what the hosts answer to devices and people."""
    async with AsyncExitStack() as stack:
        for path in (site.front, *site.doors):
            stack.callback(path.heal)
            path.loses_answers = True
        await asyncio.sleep(chance.uniform(SHORT_S, LONG_S))


async def kill_primary(site: Site, chance: random.Random) -> None:
    """Kill the primary: a replica takes over, and the old primary comes back as its replica."""
    server = primary_of(site.store)
    await _replace(server, lambda: primary_of(site.store) is not server, chance)
    await _until(lambda: replicas_are_connected(site.store.servers, PRIMARIES[site.kind]))


async def switch_primary(site: Site, _: random.Random) -> None:
    """Have Sentinel switch to a replica while the primary is well."""
    server = primary_of(site.store)
    await asyncio.to_thread(switch, site.store)
    await _until(lambda: primary_of(site.store) is not server)
    await _until(lambda: replicas_are_connected(site.store.servers, PRIMARIES[site.kind]))


async def kill_shard(site: Site, chance: random.Random) -> None:
    """Kill the primary of a shard: that of the decision log, or another one."""
    key = chance.choice((keyspace.DECISIONS, keyspace.REVISION, keyspace.INSTALLATION))
    server = primary_with(site.store, key).server
    await _replace(server, lambda: not is_served_by(site.store, key, server), chance)
    await _until(lambda: replicas_are_connected(site.store.servers, PRIMARIES[site.kind]))


async def switch_a_shard(site: Site, _: random.Random) -> None:
    """Have a replica take over from the primary of the decision log, in agreement with it."""
    server = primary_with(site.store, keyspace.DECISIONS).server
    await asyncio.to_thread(switch_shard, site.store, keyspace.DECISIONS)
    await _until(lambda: not is_served_by(site.store, keyspace.DECISIONS, server))
    await _until(lambda: replicas_are_connected(site.store.servers, PRIMARIES[site.kind]))


async def move_hash_slots(site: Site, _: random.Random) -> None:
    """Move hash slots to another shard: those of grants, and that of the decision log."""
    await asyncio.to_thread(
        move_slots, site.store, keyspace.DECISIONS, keyspace.grant("*"), MOVED_SLOTS
    )


ONE = (SINGLE,)
FAILS_OVER = {"fails_over": True}
FAULTS = (
    Fault("a worker is killed", STORES, kill_worker, 4),
    Fault("a worker is paused", STORES, pause_worker, 3),
    Fault("a host is paused", STORES, pause_host),
    Fault("a host is killed", STORES, kill_host, 1),
    Fault("the clock of a host jumps", STORES, turn_clock, 2, {"jump_s": JUMP_S}),
    Fault("the scripts are forgotten", STORES, forget_scripts),
    Fault("push messages are cut", STORES, cut_messages, 3),
    Fault("the connections of clients are cut", STORES, cut_clients, 1),
    Fault("nothing passes to clients", STORES, stall_clients, 1),
    Fault("answers to clients are lost", STORES, lose_answers, 3),
    Fault("the store is killed", ONE, kill_store),
    Fault("the store is paused", ONE, pause_store),
    Fault("a host is cut off from the store", ONE, cut_store, 3),
    Fault("nothing passes between a host and the store", ONE, stall_store),
    Fault("the store is slow for a host", ONE, slow_store),
    Fault("push messages are lost", ONE, lose_messages, 3),
    Fault("answers of the store are lost", ONE, lose_store_answers, 3),
    Fault("Sentinel: the primary is killed", (SENTINEL,), kill_primary, 6, FAILS_OVER),
    Fault("Sentinel: a switch", (SENTINEL,), switch_primary, 4, FAILS_OVER),
    Fault("Cluster: a shard's primary is killed", (CLUSTER,), kill_shard, 5, FAILS_OVER),
    Fault("Cluster: a shard switches", (CLUSTER,), switch_a_shard, 4, FAILS_OVER),
    Fault("Cluster: hash slots move", (CLUSTER,), move_hash_slots, 5),
)


async def bring_about(
    site: Site, history: History, stopping: asyncio.Event, seed: int, only: str = ""
) -> None:
    """Bring about faults until `stopping` is set. `only`: those with this in their name."""
    chance = random.Random(f"{seed} faults")  # noqa: S311, no secret
    faults = [
        each
        for each in FAULTS
        if site.kind in each.stores
        and only in each.name
        and (site.clocks or each.happen is not turn_clock)
    ]
    await _wait(stopping, CALM_S / 2)
    while not stopping.is_set():
        for _ in range(FAULTS_IN_A_ROUND):
            fault = chance.choices(faults, [each.weight for each in faults])[0]
            if stopping.is_set():
                break
            with history.operation(NEMESIS, "fault", kind=fault.name, **fault.args) as operation:
                await fault.happen(site, chance)
                await site.recovered()
                operation.outcome = Outcome.DONE
            await _wait(stopping, chance.uniform(0, 2 * PAUSE_S))
        await _wait(stopping, CALM_S)


async def _wait(stopping: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)


async def _pause(pids: list[int], chance: random.Random) -> None:
    _signal(pids, signal.SIGSTOP)
    try:
        await asyncio.sleep(chance.uniform(SHORT_S, LONG_S))
    finally:
        _signal(pids, signal.SIGCONT)


def _signal(pids: list[int], number: signal.Signals) -> None:
    """Send a signal to those that still run: the watchdog ends a worker that hangs."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _restart(host: Host) -> None:
    """Start a host again after a SIGKILL, however long that takes on a busy machine."""
    known = len(host.log)
    host.stop(signal.SIGKILL)
    host.launch()
    while not any(event["event"] == "server.listening" for event in host.log[known:]):
        time.sleep(SHORT_S / 5)


@asynccontextmanager
async def _stopped(store: Any) -> AsyncIterator[None]:  # noqa: ANN401, a Valkey or several
    store.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        store.signal(signal.SIGCONT)


@asynccontextmanager
async def _healed(path: Path, chance: random.Random) -> AsyncIterator[Path]:
    """Give a path, let what is done to it last for some time, and heal it."""
    try:
        yield path
        await asyncio.sleep(chance.uniform(SHORT_S, LONG_S))
    finally:
        path.heal()


async def _replace(server: Valkey, is_replaced: Callable[[], bool], chance: random.Random) -> None:
    """Kill a server, wait until another one has its place, and start it again."""
    await asyncio.to_thread(server.kill)
    await _until(is_replaced)
    await asyncio.sleep(chance.uniform(0, SWITCHED_S))
    await asyncio.to_thread(server.start)


async def _until(condition: Callable[[], bool]) -> None:
    while not await asyncio.to_thread(condition):  # noqa: ASYNC110, other processes
        await asyncio.sleep(SHORT_S / 5)
