"""The connection to Redis or Valkey: commands, scripts, and what their failures mean."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.client import Pipeline, PubSub
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import (
    ClusterError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from deviceflow.core.origin import host_in_url
from deviceflow.ops.metrics.watches import StoreWatch
from deviceflow.store.errors import StoreUnavailable

COMMAND_TIMEOUT_S = 2.0
CONNECT_TIMEOUT_S = 1.0
RETRIES = 2
# redis-py repeats a command, and for each repetition the connecting: 18 s with a store that hangs.
DEADLINE_S = 5.0
MAX_CONNECTIONS = 64
REDIS_PORT = 6379

# What a reachable server answers when it cannot run a command just now. For some of these
# answers redis-py has classes, whose text lacks the code; in a pipeline it puts words before it.
_REFUSALS = (NoScriptError, OutOfMemoryError, ReadOnlyError, TryAgainError)
_REFUSED = re.compile(r"(?:^|of pipeline caused error: \(['\"])(MISCONF|NOREPLICAS|BUSY)\b")

READONLY = "READONLY"
"""The refusal of a replica: it takes no writes."""

_REFUSAL_CODES = {ReadOnlyError: READONLY, OutOfMemoryError: "OOM"}

Value = str | bytes | int
"""What a command can consist of."""


class Durability(NamedTuple):
    """The number of replicas that must have a decision, and how long to wait for them."""

    replicas: int = 0
    timeout_ms: int = 500

    @property
    def wait_s(self) -> float:
        """How much longer a command may take because of it."""
        return self.timeout_ms / 1000 if self.replicas else 0.0


class Connection:
    """One worker's connections to the store. Close it with `close()`.

    `deadline_s`: how long a command may take with all its repetitions. `refused_channels`:
    where the last push message was refused, so that only the first refusal is logged. `drops`: how
    often the connections were given up. `watch`: what measures the commands, in a worker.
    """

    def __init__(
        self, client: Redis, durability: Durability | None = None, deadline_s: float = DEADLINE_S
    ) -> None:
        self.client = client
        self.durability = durability or Durability()
        self.deadline_s = deadline_s
        self.refused_channels: set[str] = set()
        self.drops = 0
        self.watch: StoreWatch | None = None
        self._scripts: dict[str, AsyncScript] = {}

    @classmethod
    def open(cls, url: str, durability: Durability | None = None) -> Self:
        """Return a connection to `url` (redis, rediss or unix), made at the first command."""
        durability = durability or Durability()
        retry = Retry(ExponentialBackoff(cap=0.2, base=0.02), RETRIES)
        # In a burst commands wait for one another; the plain pool would refuse the 101st.
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=MAX_CONNECTIONS,
            timeout=COMMAND_TIMEOUT_S,
            retry=retry,
            socket_timeout=COMMAND_TIMEOUT_S + durability.wait_s,
            socket_connect_timeout=CONNECT_TIMEOUT_S,
            health_check_interval=15,
            client_name="deviceflow",
        )
        return cls(Redis.from_pool(pool), durability)

    async def close(self) -> None:
        """Close all connections."""
        await self.client.aclose()

    async def drop(self) -> None:
        """Give up the connections that are not in use: they lead to the wrong server.

        After a planned failover the address leads to the new primary, but the old primary keeps
        its connections and goes on as a replica. Only a new connection reaches the new one.
        """
        self.drops += 1
        with suppress(RedisError, OSError):
            await self.client.connection_pool.disconnect(inuse_connections=False)

    async def command(self, *command: Value) -> Any:  # noqa: ANN401, whatever Redis says
        """Run one command. May raise StoreUnavailable."""
        return await self._execute(*command)

    async def take(self, key: str, mark: str, *expiry: Value) -> bool:
        """Set `key` to `mark` unless it is set already; return whether it is `mark` now.

        `expiry`: as SET takes it. A repetition finds its own mark, so two callers need two marks.
        May raise StoreUnavailable.
        """
        # redis-py turns the answer into a bool unless it hears of GET a second time.
        before = await self._execute("SET", key, mark, "NX", "GET", *expiry, get=True)
        return before is None or before == mark.encode()

    async def evaluate(self, script: str, keys: Sequence[str], *args: Value) -> Any:  # noqa: ANN401
        """Run a script, for the functions of `scripts` only. May raise StoreUnavailable."""
        async with self._bounded():
            return await self._registered(script)(keys=list(keys), args=list(args))

    async def evaluate_durably(self, script: str, keys: Sequence[str], *args: Value) -> Any:  # noqa: ANN401
        """Run a script, and return only when enough replicas have what it wrote.

        For the functions of `scripts` only. May raise StoreUnavailable, also where too few
        replicas answer in time: the script may have run, but no caller may rely on it.
        """
        if not self.durability.replicas:
            return await self.evaluate(script, keys, *args)
        async with self.pipeline() as pipe:
            await self._queue(pipe, script, keys, args)
            (answer,) = await self.execute_durably(pipe)
        return answer

    async def execute_durably(self, pipe: Pipeline) -> list[Any]:
        """Run what is queued in `pipe`; return only when enough replicas have what it wrote.

        May raise StoreUnavailable, as `evaluate_durably` does.
        """
        if not self.durability.replicas:
            return list(await pipe.execute())
        # WAIT is about the writes of the connection that it is sent on, hence the pipeline.
        pipe.execute_command("WAIT", self.durability.replicas, self.durability.timeout_ms)
        *answers, replicas = await pipe.execute()
        if self.watch:
            self.watch.note_replicas(are_enough=replicas >= self.durability.replicas)
        if replicas < self.durability.replicas:
            raise StoreUnavailable("too few replicas")
        return answers

    @asynccontextmanager
    async def pipeline(self) -> Any:  # noqa: ANN401
        """Send several commands in one round trip. All their keys are in one hash slot.

        It is no transaction: other clients' commands may run in between. May raise
        StoreUnavailable.
        """
        async with self._bounded(), self.client.pipeline(transaction=False) as pipe:
            yield pipe

    def pubsub(self) -> PubSub:
        """Return a subscriber. It blocks until there is a message."""
        return self.client.pubsub(ignore_subscribe_messages=False)

    async def _execute(self, *command: Value, **options: bool) -> Any:  # noqa: ANN401
        async with self._bounded():
            return await self.client.execute_command(*command, **options)  # type: ignore[no-untyped-call]

    async def _queue(
        self, pipe: Pipeline, script: str, keys: Sequence[str], args: Sequence[Value]
    ) -> None:
        await self._registered(script)(keys=list(keys), args=list(args), client=pipe)

    @asynccontextmanager
    async def _bounded(self) -> AsyncIterator[None]:
        try:
            with self.watch.command() if self.watch else nullcontext(), translated():
                async with asyncio.timeout(self.deadline_s + self.durability.wait_s):
                    yield
        except StoreUnavailable as error:
            if str(error) == READONLY:
                await self.drop()
            raise

    def _registered(self, script: str) -> AsyncScript:
        registered = self._scripts.get(script)
        if registered is None:
            registered = self._scripts[script] = self.client.register_script(script)
        return registered


def address_of(url: str) -> str:
    """Return where a store is, for people: `redis.example.com:6379` or a path. No password."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return parts.path
    if "@" in f"{parts.path}{parts.query}{parts.fragment}":
        # A password with a slash in it, not encoded: what looks like the host is a part of it.
        return "redis.url"
    host = parts.hostname or ""
    return f"{host_in_url(host)}:{parts.port or REDIS_PORT}"


def refusal_of(error: object) -> str | None:
    """Return the code with which the store refused a write, or None for any other failure."""
    if isinstance(error, ResponseError):
        if (code := _REFUSAL_CODES.get(type(error))) is not None:
            return code
        if refused := _REFUSED.search(str(error)):
            return refused[1]
    return None


@contextmanager
def translated() -> Iterator[None]:
    """Turn what redis-py raises when the store is out of reach into StoreUnavailable."""
    try:
        yield
    except (RedisConnectionError, RedisTimeoutError, ClusterError, *_REFUSALS, OSError) as error:
        raise StoreUnavailable(refusal_of(error) or type(error).__name__) from error
    except ResponseError as error:
        if (refusal := refusal_of(error)) is not None:
            raise StoreUnavailable(refusal) from error
        raise
    except RedisError as error:
        raise StoreUnavailable(type(error).__name__) from error
