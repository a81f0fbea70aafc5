"""The faults, one row each. Each is carried out while the fleet polls."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from benchmarks.faults.stages import CLUSTER, EMBEDDED, PAIR, SENTINEL, SENTINEL_ALL, Stage
from benchmarks.processes import BenchmarkError
from deviceflow.store import keyspace
from deviceflow.store.connection import Connection
from deviceflow.store.embedded import EmbeddedValkey
from deviceflow.supervisor.control import ask
from tests.stage.failing_over import move_slots, nodes, primary_with, switch, switch_shard

REPLICA_AWAY_S = 5.0
STORE_AWAY_S = 5.0
PUSH_AWAY_S = 10.0
CUT_EVERY_S = 0.05
MOVED_SLOTS = 200


class Fault(NamedTuple):
    """A fault: its name on the command line, its title, the store, and what brings it about.

    `loses`: whether it loses decisions, because of a setting. Such a fault happens only if it is
    named (docs/decisions/0032).
    """

    name: str
    title: str
    store: str
    happen: Callable[[Stage], Coroutine[Any, Any, None]]
    loses: bool = False


async def nothing(_: Stage) -> None:
    """Let nothing happen: what the other figures are compared with."""


async def reload(stage: Stage) -> None:
    """Have the server read its settings again."""
    await _order(stage, "reload")


async def upgrade(stage: Stage) -> None:
    """Have the server run its program anew, in the same process."""
    await _order(stage, "upgrade")


async def kill_worker(stage: Stage) -> None:
    """Kill a worker."""
    os.kill(stage.worker, signal.SIGKILL)


async def stop_worker(stage: Stage) -> None:
    """Stop a worker: the watchdog has to notice that it answers nothing."""
    os.kill(stage.worker, signal.SIGSTOP)


async def kill_store(stage: Stage) -> None:
    """Kill the embedded store. The supervisor starts it again."""
    os.kill(EmbeddedValkey(stage.data_dir).pid(), signal.SIGKILL)


async def stop_store(stage: Stage) -> None:
    """Stop the embedded store for some time: connections stay, and nothing is answered."""
    pid = EmbeddedValkey(stage.data_dir).pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(STORE_AWAY_S)
    finally:
        os.kill(pid, signal.SIGCONT)


async def cut_push(stage: Stage) -> None:
    """Cut the connections that hear push messages, again and again for some time."""
    connection = Connection.open(stage.store_url)
    try:
        for _ in range(int(PUSH_AWAY_S / CUT_EVERY_S)):
            await connection.command("CLIENT", "KILL", "TYPE", "pubsub")
            await asyncio.sleep(CUT_EVERY_S)
    finally:
        await connection.close()


async def restart_all(stage: Stage) -> None:
    """End the server and the embedded store in order, and start them again."""
    await asyncio.to_thread(stage.stop)
    await asyncio.to_thread(stage.start)


async def kill_all(stage: Stage) -> None:
    """Kill the server and the embedded store at the same moment, and start them again."""
    await asyncio.to_thread(stage.kill)
    await asyncio.to_thread(stage.start)


async def kill_primary(stage: Stage) -> None:
    """Kill the primary: Sentinel has a replica take over."""
    await asyncio.to_thread(stage.store.servers[0].kill)


async def switch_primary(stage: Stage) -> None:
    """Have Sentinel switch to a replica while the primary is well, as for maintenance."""
    await asyncio.to_thread(switch, stage.store)


async def kill_shard(stage: Stage) -> None:
    """Kill the primary of a shard without the decision log."""
    feed = primary_with(stage.store, keyspace.DECISIONS)
    others = (each for each in nodes(stage.store) if each.slots and each.id != feed.id)
    await asyncio.to_thread(next(others).server.kill)


async def kill_feed_shard(stage: Stage) -> None:
    """Kill the primary of the shard with the decision log."""
    await asyncio.to_thread(primary_with(stage.store, keyspace.DECISIONS).server.kill)


async def switch_feed_shard(stage: Stage) -> None:
    """Have a replica take over from the primary of the decision log, in agreement with it."""
    await asyncio.to_thread(switch_shard, stage.store, keyspace.DECISIONS)


async def move_hash_slots(stage: Stage) -> None:
    """Move hash slots to another shard: those of live grants, and that of the decision log.

    The last one is that of the decision log, over which the push messages go, too.
    """
    await asyncio.to_thread(
        move_slots, stage.store, keyspace.DECISIONS, keyspace.grant("*"), MOVED_SLOTS
    )


async def rotate_keys(stage: Stage) -> None:
    """Make a new signing key."""
    command = [sys.executable, "-m", "deviceflow", "keys", "--config", str(stage.config), "rotate"]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise BenchmarkError(f"the rotation failed: {output.decode()}")


async def stop_replica(stage: Stage) -> None:
    """Stop the only replica for some time."""
    replica = stage.store.servers[1]
    replica.signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(REPLICA_AWAY_S)
    finally:
        replica.signal(signal.SIGCONT)


FAULTS = (
    Fault("none", "no fault", EMBEDDED, nothing),
    Fault("reload", "`deviceflow reload`", EMBEDDED, reload),
    Fault("upgrade", "`deviceflow upgrade`", EMBEDDED, upgrade),
    Fault("worker-killed", "a worker is killed", EMBEDDED, kill_worker),
    Fault("worker-stopped", "a worker stands still", EMBEDDED, stop_worker),
    Fault("store-killed", "the embedded store is killed", EMBEDDED, kill_store),
    Fault("store-stopped", f"the store stands still for {STORE_AWAY_S:g} s", EMBEDDED, stop_store),
    Fault("push-cut", f"no push messages for {PUSH_AWAY_S:g} s", EMBEDDED, cut_push),
    Fault("restart-all", "everything is restarted", EMBEDDED, restart_all),
    Fault("kill-all", "everything is killed and started again", EMBEDDED, kill_all),
    Fault("sentinel", "Sentinel: the primary is killed", SENTINEL, kill_primary),
    Fault("switch", "Sentinel: a switch, `replicas` = 2 of 2", SENTINEL_ALL, switch_primary),
    Fault(
        "switch-one",
        "Sentinel: a switch, `replicas` = 1 of 2",
        SENTINEL,
        switch_primary,
        loses=True,
    ),
    Fault("shard", "Cluster: a shard's primary is killed", CLUSTER, kill_shard),
    Fault("feed-shard", "Cluster: that of the decision log is killed", CLUSTER, kill_feed_shard),
    Fault("shard-switch", "Cluster: `CLUSTER FAILOVER`", CLUSTER, switch_feed_shard),
    Fault("slots", f"Cluster: {MOVED_SLOTS} hash slots move", CLUSTER, move_hash_slots),
    Fault("keys", "`deviceflow keys rotate`", EMBEDDED, rotate_keys),
    Fault("replica", f"the only replica stops for {REPLICA_AWAY_S:g} s", PAIR, stop_replica),
)


async def _order(stage: Stage, command: str) -> None:
    answer = await asyncio.to_thread(ask, stage.data_dir, command)
    if answer is None or answer.problems:
        problems = answer.problems if answer else ["no answer"]
        raise BenchmarkError(f"the {command} failed: {'; '.join(problems)}")
