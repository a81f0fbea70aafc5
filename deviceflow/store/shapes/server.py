"""One server that takes the writes: by its address, or by its name at the Sentinels."""

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from hiredis import pack_command
from redis.asyncio import (
    ConnectionPool,
    Redis,
    Sentinel,
)
from redis.asyncio.client import PubSub
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from deviceflow.core.store_url import StoreUrl
from deviceflow.store.shapes.connections import (
    PrimaryConnection,
    PrimaryTlsConnection,
    SocketConnection,
    connections_with,
)
from deviceflow.store.shapes.shape import (
    KEYS_AT_ONCE,
    SUBSCRIPTIONS,
    Command,
    ConnectionLimits,
    RunTrip,
    Value,
    connection_options,
    sentinel_options,
)


class ServerShape:
    """Commands go to one server. `sentinels`: to be closed too. `db`: the database that is used.

    A channel is of the whole server, not of a database. So its name gets the database's number:
    two installations in two databases do not hear each other.
    """

    is_one_server = True

    def __init__(
        self,
        client: Redis,
        sentinels: Sentinel | None = None,
        *,
        db: int = 0,
        trip_s: float | None = None,
    ) -> None:
        self.client = client
        self._sentinels = sentinels
        self._db = db
        self._trip_s = trip_s

    async def run(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands over one connection, in one round trip; return their answers."""
        pool = self.client.connection_pool
        connection: AbstractConnection = await pool.get_connection()  # type: ignore[no-untyped-call]
        try:
            answers: list[Any] = await connection.retry.call_with_retry(
                lambda: self._send(connection, commands), lambda _: connection.disconnect()
            )
            return answers
        finally:
            await pool.release(connection)

    async def everywhere(self, *command: Value) -> dict[str, Any]:
        """Run a command at the server."""
        return {"": await self.client.execute_command(*command)}  # type: ignore[no-untyped-call]

    async def publish(self, run: RunTrip, channel: str, *messages: str | bytes) -> None:
        """Send messages to all subscribers of a channel."""
        channel = self._own(channel)
        for answer in await run([("PUBLISH", channel, message) for message in messages]):
            if isinstance(answer, Exception):
                raise answer

    @asynccontextmanager
    async def subscription(self, channel: str) -> AsyncIterator[PubSub]:
        """Subscribe to a channel, over a connection of its own."""
        async with self.client.pubsub() as pubsub:
            await pubsub.subscribe(self._own(channel))
            yield pubsub

    async def subscribers(self, channel: str) -> int:
        """Return how many listen to a channel."""
        ((_, count),) = await self.client.pubsub_numsub(self._own(channel))
        return int(count)

    async def keys(self, pattern: str) -> AsyncIterator[bytes]:
        """Find the keys that match, some of them twice."""
        async for key in self.client.scan_iter(match=pattern, count=KEYS_AT_ONCE):
            yield key

    async def drop(self) -> None:
        """Give up the connections that are not in use.

        After a planned failover the address leads to the new primary, but the old primary keeps
        its connections and goes on as a replica. Only a new connection reaches the new one.
        """
        await self.client.connection_pool.disconnect(inuse_connections=False)

    async def close(self) -> None:
        """Close all connections."""
        await self.client.aclose()
        if self._sentinels is not None:
            await self._sentinels.aclose()

    def _own(self, channel: str) -> str:
        return f"{channel}:{self._db}" if self._db else channel

    async def _send(self, connection: AbstractConnection, commands: Sequence[Command]) -> list[Any]:
        """Send commands, all in one write, and read their answers, all within one time limit.

        redis-py's own way (a Pipeline) has a time limit for each of the answers, which costs more
        than reading it. A command that cannot be sent is none: its answer is the reason.
        """
        answers: list[Any] = []
        packed: list[bytes] = []
        for command in commands:
            try:
                packed.append(pack_command(tuple(command)))  # type: ignore[arg-type]
                answers.append(None)
            except (TypeError, UnicodeError) as error:
                answers.append(error)
        try:
            async with asyncio.timeout(self._trip_s):
                await connection.send_packed_command(packed)
                for place, command in enumerate(commands):
                    if answers[place] is None:
                        answers[place] = await self._answer(connection, str(command[0]))
        except TimeoutError:
            raise RedisTimeoutError("the server has not answered in time") from None
        return answers

    async def _answer(self, connection: AbstractConnection, name: str) -> Any:  # noqa: ANN401
        """Read an answer as redis-py gives it; an error that the server answers is one, too."""
        try:
            # The time limit is that of the whole trip.
            answer = await connection.read_response(timeout=math.inf)
        except ResponseError as error:
            return error
        callback = self.client.response_callbacks.get(name)
        try:
            return answer if callback is None else callback(answer)
        except Exception as error:  # noqa: BLE001, the answers after it have other readers
            return error


def at_server(url: StoreUrl, limits: ConnectionLimits) -> ServerShape:
    """Return the shape of a URL that names one server."""
    kind: Any
    options: dict[str, Any]
    if url.socket_path:
        kind, options = SocketConnection, {"path": url.socket_path}
    else:
        kind, options = connections_with(url.tls)
        (endpoint,) = url.endpoints
        options |= {"host": endpoint.host, "port": endpoint.port}
    pool = ConnectionPool(
        connection_class=kind,
        max_connections=limits.connections + SUBSCRIPTIONS,
        db=url.db,
        retry=_retry(limits),
        **options,
        **connection_options(url, limits),
    )
    return ServerShape(Redis.from_pool(pool), db=url.db, trip_s=limits.command_s)


def behind_sentinels(url: StoreUrl, limits: ConnectionLimits) -> ServerShape:
    """Return the shape of a URL that names Sentinels."""
    kind, options = connections_with(url.tls)
    sentinels = Sentinel([])  # type: ignore[no-untyped-call]
    # Made here, because `Sentinel` takes no class of connections.
    for endpoint in url.endpoints:
        pool = ConnectionPool(
            connection_class=kind,
            host=endpoint.host,
            port=endpoint.port,
            **options,
            **sentinel_options(url.sentinel_login, limits),
        )
        sentinels.sentinels.append(Redis.from_pool(pool))
    client = sentinels.master_for(
        url.service,
        connection_class=PrimaryTlsConnection if url.tls else PrimaryConnection,
        max_connections=limits.connections + SUBSCRIPTIONS,
        db=url.db,
        retry=_retry(limits),
        **options,
        **connection_options(url, limits),
    )
    return ServerShape(client, sentinels, db=url.db, trip_s=limits.command_s)


def _retry(limits: ConnectionLimits) -> Retry:
    return Retry(ExponentialBackoff(cap=0.2, base=0.02), limits.retries)
