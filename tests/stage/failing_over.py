"""What administrators do to Sentinels and to a Cluster, and what happens to them.

All of it looks first which servers are the primaries now, so it can be done again and again.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from redis.crc import key_slot
from redis.exceptions import RedisError

from tests.stage.shapes import SERVICE, Cluster, Sentinels, accepts
from tests.stage.valkey import Valkey
from tests.stage.waiting import until_outside

MIGRATE_MS = 5_000
KEYS_AT_ONCE = 10


class Node(NamedTuple):
    """A server of a Cluster that runs. `primary`: the id of its primary, empty for a primary."""

    server: Valkey
    id: str
    primary: str
    slots: tuple[range, ...]


def switch(sentinels: Sentinels) -> None:
    """Have Sentinel switch to a replica while the primary is well, as for maintenance."""
    with sentinels.sentinel() as client:
        # It has to hear from the replicas first.
        until_outside(partial(accepts, client, "SENTINEL", "FAILOVER", SERVICE))


def primary_of(sentinels: Sentinels) -> Valkey:
    """Return the server that Sentinel takes for the primary."""
    with sentinels.sentinel() as client:
        connected: Any = client
        _, port = connected.sentinel_get_master_addr_by_name(SERVICE)
    (server,) = (each for each in sentinels.servers if each.port == port)
    return server


def nodes(cluster: Cluster) -> list[Node]:
    """Return the servers of a Cluster that answer, as each sees itself."""
    found = []
    for server in cluster.servers:
        try:
            with server.client() as client:
                connected: Any = client
                listed = connected.execute_command("CLUSTER NODES")
        except RedisError:
            continue
        for told in listed.values():
            if "myself" in told["flags"]:
                slots = tuple(_slots(each) for each in told["slots"] if "->" not in each[0])
                primary = "" if told["master_id"] == "-" else told["master_id"]
                found.append(Node(server, told["node_id"], primary, slots))
    return found


def primary_with(cluster: Cluster, key: str) -> Node:
    """Return the primary of a Cluster that serves a key."""
    slot = key_slot(key.encode())
    (node,) = (
        each
        for each in nodes(cluster)
        if not each.primary and any(slot in slots for slots in each.slots)
    )
    return node


def is_served_by(cluster: Cluster, key: str, server: Valkey) -> bool:
    """Return whether a server serves a key, or no other one does yet."""
    try:
        return primary_with(cluster, key).server is server
    except ValueError:
        return True


def replicas_are_connected(servers: Sequence[Valkey], primaries: int) -> bool:
    """Return whether so many servers are primaries, and all others follow one of them."""
    roles = []
    for server in servers:
        try:
            with server.client() as client:
                connected: Any = client
                roles.append(connected.execute_command("ROLE"))
        except RedisError:
            return False
    followed = sum(len(role[2]) for role in roles if role[0] == b"master")
    replicas = [role for role in roles if role[0] == b"slave"]
    are_all = len(servers) - primaries == len(replicas) == followed
    return are_all and all(role[3] == b"connected" for role in replicas)


def switch_shard(cluster: Cluster, key: str) -> None:
    """Have a replica take over from the primary of a key, in agreement with it."""
    primary = primary_with(cluster, key)
    replica = next(each for each in nodes(cluster) if each.primary == primary.id)
    with replica.server.client() as client:
        until_outside(partial(accepts, client, "CLUSTER", "FAILOVER"))


def move_slots(cluster: Cluster, key: str, match: str, most: int) -> None:
    """Move hash slots of one shard to another one, as `redis-cli --cluster reshard` does.

    They are those of up to `most` - 1 of the keys that `match` matches, and of `key`, the last one.
    """
    source = primary_with(cluster, key)
    primaries = [each for each in nodes(cluster) if not each.primary and each.slots]
    target = next(each for each in primaries if each.id != source.id)
    clients: dict[str, Any] = {each.id: each.server.client() for each in primaries}
    last = key_slot(key.encode())
    give = clients[source.id]
    slots = {key_slot(found) for found in give.scan_iter(match=match, count=1_000)}
    try:
        for slot in [*sorted(slots - {last})[: most - 1], last]:
            _move_slot(slot, source, target, clients)
    finally:
        for client in clients.values():
            client.close()


def _move_slot(slot: int, source: Node, target: Node, clients: dict[str, Any]) -> None:
    give, take = clients[source.id], clients[target.id]
    take.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id)
    give.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id)
    while keys := give.execute_command("CLUSTER", "GETKEYSINSLOT", slot, KEYS_AT_ONCE):
        place = ("127.0.0.1", target.server.port)
        give.execute_command("MIGRATE", *place, "", 0, MIGRATE_MS, "KEYS", *keys)
    for client in (take, give, *clients.values()):
        client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", target.id)


def _slots(bounds: list[str]) -> range:
    """Return the slots of an entry of CLUSTER NODES: one, or the first and the last."""
    return range(int(bounds[0]), int(bounds[-1]) + 1)
