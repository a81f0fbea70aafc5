"""A Redis Cluster: every hash slot has a node that takes its writes, and slots can move.

redis-py keeps the map of slots and the connections. Commands are sent here, because commands
that belong together have to stay on one connection: WAIT is about the writes of its connection, and
ASKING is for the next command of its connection. (redis-py sends both over any connection.)

A node that does not serve a slot says so and does nothing: MOVED names the new node, ASK names
the one that a slot is just moving to. Then all commands are sent again, there.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Self

from redis._parsers import AsyncCommandsParser
from redis.asyncio import ConnectionPool, Redis, RedisCluster
from redis.asyncio.client import PubSub
from redis.asyncio.cluster import ClusterNode, PipelineCommand
from redis.exceptions import (
    AskError,
    ClusterDownError,
    MovedError,
    RedisClusterException,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from deviceflow.core.store_url import StoreUrl
from deviceflow.store.shapes.connections import connections_with
from deviceflow.store.shapes.shape import (
    KEYS_AT_ONCE,
    SUBSCRIPTIONS,
    Command,
    ConnectionLimits,
    RunTrip,
    Value,
    connection_options,
)

REDIRECTIONS = 8
"""How often commands follow a slot that moves: more than happens unless nodes disagree."""

RETRY_PAUSE_S = 0.1
"""The pause before commands are sent again after a failure, in s. It grows with each."""

_KEYLESS = frozenset({"CONFIG", "INFO", "PING", "SCRIPT", "TIME"})
_SCRIPTS = frozenset({"EVAL", "EVALSHA"})
_PASSING = (AskError, ClusterDownError, TryAgainError)
_BROKEN = (RedisConnectionError, RedisTimeoutError, OSError)


class ClusterShape:
    """Commands go to the node that serves the hash slot of their keys."""

    is_one_server = False

    def __init__(self, client: RedisCluster, options: dict[str, Any], retries: int) -> None:
        self.client = client
        self._options = options
        self._retries = retries

    @classmethod
    def at(cls, url: StoreUrl, limits: ConnectionLimits) -> Self:
        """Return the shape of a URL that names some nodes of a Cluster."""
        options = connection_options(url, limits)
        client = RedisCluster(
            startup_nodes=[ClusterNode(*endpoint) for endpoint in url.endpoints],
            # Without one shard, the grants of the others go on.
            require_full_coverage=False,
            max_connections=limits.connections + SUBSCRIPTIONS,
            **options,
        )
        # RedisCluster takes no class of connections, but it hands these options to all nodes.
        kind, own = connections_with(url.tls)
        client.connection_kwargs.update(own, connection_class=kind)
        for node in client.startup_nodes:
            node.connection_class = kind
            node.connection_kwargs.update(own)
        client.commands_parser = _Commands()
        return cls(client, options | own | {"connection_class": kind}, limits.retries)

    async def run(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands over one connection, in one round trip; return their answers."""
        key = _key_of(commands[0])
        asked: AskError | None = None
        failures = 0
        for _ in range(REDIRECTIONS):
            node = await self._node(key, asked)
            try:
                answers = await _send(node, commands, asking=asked is not None)
            except _BROKEN:
                failures += 1
                if failures > self._retries:
                    raise
                asked = None
                await self._look_again(node.name, failures)
                continue
            obstacle = next((each for each in answers if isinstance(each, _PASSING)), None)
            if obstacle is None:
                return answers
            asked = await self._follow(obstacle)
        return answers

    async def everywhere(self, *command: Value) -> dict[str, Any]:
        """Run a command at every primary; return its answers, by address."""
        await self.client.initialize()
        return {
            node.name: await node.execute_command(*command) for node in self.client.get_primaries()
        }

    async def publish(self, run: RunTrip, channel: str, *messages: str | bytes) -> None:
        """Send messages to all subscribers of a channel.

        They go to the node that serves the channel's slot, and the subscribers listen there: so
        all of them hear the messages in one order.
        """
        await self.client.initialize()
        name = "SPUBLISH" if self._is_sharded else "PUBLISH"
        for answer in await run([(name, channel, message) for message in messages]):
            if isinstance(answer, Exception):
                raise answer

    @asynccontextmanager
    async def subscription(self, channel: str) -> AsyncIterator[PubSub]:
        """Subscribe to a channel at the node that serves its slot."""
        # Any command about the slot finds out who serves it by now.
        await self.run([("EXISTS", channel)])
        node = self.client.get_node_from_key(channel)
        if node is None:
            raise ClusterDownError("no node serves the channel")
        # No retries: after a failure the subscriber begins anew, at the node of the slot by then.
        pool = ConnectionPool(host=node.host, port=int(node.port), **self._options)
        async with Redis.from_pool(pool) as client, client.pubsub() as pubsub:
            if self._is_sharded:
                await pubsub.ssubscribe(channel)
            else:
                await pubsub.subscribe(channel)
            yield pubsub

    async def subscribers(self, channel: str) -> int:
        """Return how many listen to a channel."""
        await self.client.initialize()
        name = "SHARDNUMSUB" if self._is_sharded else "NUMSUB"
        answers = await self.everywhere("PUBSUB", name, channel)
        return sum(int(count) for _, count in answers.values())

    async def keys(self, pattern: str) -> AsyncIterator[bytes]:
        """Find the keys that match at every primary, some of them twice."""
        await self.client.initialize()
        async for key in self.client.scan_iter(match=pattern, count=KEYS_AT_ONCE):
            yield key

    async def drop(self) -> None:
        """Give up the connections that are not in use, and ask which node serves which slots."""
        for node in self.client.get_nodes():
            await node.disconnect_free_connections()
        with suppress(RedisClusterException):
            await self.client.nodes_manager.initialize()

    async def close(self) -> None:
        """Close all connections."""
        await self.client.aclose()

    @property
    def _is_sharded(self) -> bool:
        """Whether a message stays within the shard of its channel: since Redis 7.0.

        Without it, every node passes every message on to every other node.
        """
        return _Commands.SHARDED in self.client.commands_parser.commands

    async def _node(self, key: str | None, asked: AskError | None) -> ClusterNode:
        await self.client.initialize()
        if asked is not None and (named := self.client.get_node(asked.host, asked.port)):
            return named
        if key is None:
            return self.client.get_random_primary_node()
        node = self.client.get_node_from_key(key)
        if node is None:
            raise ClusterDownError("no node serves the slot")
        return node

    async def _follow(self, obstacle: ResponseError) -> AskError | None:
        """Prepare another attempt; return the ASK that it has to follow."""
        if isinstance(obstacle, MovedError):
            await self.client.nodes_manager.move_slot(obstacle)
            return None
        if isinstance(obstacle, AskError):
            if self.client.get_node(obstacle.host, obstacle.port) is None:
                await self.client.nodes_manager.initialize()
            return obstacle
        await self._look_again(None, 1)
        return None

    async def _look_again(self, failed: str | None, failures: int) -> None:
        """Ask again which node serves which slots, after a pause: a replica may be taking over."""
        await asyncio.sleep(RETRY_PAUSE_S * failures)
        await self.client.nodes_manager.initialize(last_failed_node_name=failed)


class _Commands(AsyncCommandsParser):
    """Asks a node whether it knows the one command that matters here.

    redis-py asks for all 240, to find the keys in them. That holds up the worker for 8 ms, and the
    keys are found here (`_key_of`).
    """

    SHARDED = "spublish"

    async def initialize(self, node: ClusterNode | None = None) -> None:
        """Ask `node`."""
        if node is not None:
            (known,) = await node.execute_command("COMMAND INFO", self.SHARDED)
            self.commands = {self.SHARDED: {}} if known else {}


async def _send(node: ClusterNode, commands: Sequence[Command], *, asking: bool) -> list[Any]:
    sent: list[Command] = []
    for command in commands:
        sent += [("ASKING",), command] if asking else [command]
    queue = [PipelineCommand(position, *command) for position, command in enumerate(sent)]
    await node.execute_pipeline(queue)
    answers = [each.result for each in queue]
    for answer in answers:
        if isinstance(answer, _BROKEN):
            raise answer
    return answers[1::2] if asking else answers


def _key_of(command: Command) -> str | None:
    """Return the first key of a command, or its channel; None if any node will do."""
    name = str(command[0]).upper()
    if name in _KEYLESS:
        return None
    place = 3 if name in _SCRIPTS else 1
    if name in _SCRIPTS and not int(command[2]):
        return None
    key = command[place]
    return key.decode() if isinstance(key, bytes) else str(key)
