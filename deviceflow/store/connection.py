"""The connection to Redis or Valkey: commands, scripts, and what their failures mean."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NamedTuple
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
from deviceflow.store import scripts
from deviceflow.store.errors import StoreUnavailable

COMMAND_TIMEOUT_S = 2.0
CONNECT_TIMEOUT_S = 1.0
RETRIES = 2
# redis-py repeats a command, and for each repetition the connecting: 18 s with a store that hangs.
DEADLINE_S = 5.0
MAX_CONNECTIONS = 64
REDIS_PORT = 6379

# What a server that is there says when it cannot do what was asked just now. redis-py has
# classes for some of it (whose text lacks the code), and in a pipeline puts words before it.
_REFUSALS = (NoScriptError, OutOfMemoryError, ReadOnlyError, TryAgainError)
_REFUSED = re.compile(r"(?:^|of pipeline caused error: \(['\"])(MISCONF|NOREPLICAS|BUSY)\b")

Value = str | bytes | int


class Durability(NamedTuple):
    """How many replicas must have a decision before it is acknowledged, and how long to wait."""

    replicas: int = 0
    timeout_ms: int = 500

    @property
    def wait_s(self) -> float:
        """How long a command may take because of it."""
        return self.timeout_ms / 1000 if self.replicas else 0.0


class Connection:
    """One worker's connections to the store. Close it with `close()`."""

    def __init__(self, client: Redis, durability: Durability | None = None) -> None:
        self.client = client
        self.durability = durability or Durability()
        self._scripts: dict[str, AsyncScript] = {}

    @classmethod
    def open(cls, url: str, durability: Durability | None = None) -> "Connection":
        """For `url` of scheme redis, rediss or unix. Connects at the first command."""
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

    async def command(self, *command: Value) -> Any:  # noqa: ANN401, whatever Redis says
        """Run one command. Raises StoreUnavailable."""
        async with self._bounded():
            return await self.client.execute_command(*command)  # type: ignore[no-untyped-call]

    async def take(self, key: str, mark: str, *expiry: Value) -> bool:
        """Set `key` to `mark` unless it is set already; return whether it is `mark` now.

        `expiry`: as SET takes it. A repetition finds its own mark, so two callers need two marks.
        May raise StoreUnavailable.
        """
        async with self._bounded():
            # redis-py turns the answer into a bool unless it hears of GET a second time.
            before = await self.client.execute_command(  # type: ignore[no-untyped-call]
                "SET", key, mark, "NX", "GET", *expiry, get=True
            )
        return before is None or before == mark.encode()

    async def run(self, name: str, keys: Sequence[str], *args: Value) -> Any:  # noqa: ANN401
        """Run script `name`. Raises StoreUnavailable."""
        async with self._bounded():
            return await self._script(name)(keys=list(keys), args=list(args))

    async def run_durably(self, name: str, keys: Sequence[str], *args: Value) -> Any:  # noqa: ANN401
        """Run script `name`; return only once enough replicas have what it wrote.

        Raises StoreUnavailable where too few of them answer in time: it may have happened,
        but nobody may rely on it. WAIT speaks of the connection it is sent on, hence the pipe.
        """
        if not self.durability.replicas:
            return await self.run(name, keys, *args)
        async with self.pipeline() as pipe:
            await self.queue(pipe, name, keys, *args)
            pipe.execute_command("WAIT", self.durability.replicas, self.durability.timeout_ms)
            answer, replicas = await pipe.execute()
        if replicas < self.durability.replicas:
            raise StoreUnavailable("too few replicas")
        return answer

    @asynccontextmanager
    async def pipeline(self) -> Any:  # noqa: ANN401
        """Several commands in one round trip, on one connection. Raises StoreUnavailable."""
        async with self._bounded(), self.client.pipeline(transaction=False) as pipe:
            yield pipe

    async def queue(self, pipe: "Pipeline", name: str, keys: Sequence[str], *args: Value) -> None:
        """Put script `name` into `pipe`."""
        await self._script(name)(keys=list(keys), args=list(args), client=pipe)

    def pubsub(self) -> PubSub:
        """A subscriber. It blocks for as long as nothing is said."""
        return self.client.pubsub(ignore_subscribe_messages=False)

    @asynccontextmanager
    async def _bounded(self) -> AsyncIterator[None]:
        with translated():
            async with asyncio.timeout(DEADLINE_S + self.durability.wait_s):
                yield

    def _script(self, name: str) -> AsyncScript:
        script = self._scripts.get(name)
        if script is None:
            script = self._scripts[name] = self.client.register_script(scripts.load(name))
        return script


def address_of(url: str) -> str:
    """Where a store is, for people: `redis.example.com:6379` or a path. Never its password."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return parts.path
    if "@" in f"{parts.path}{parts.query}{parts.fragment}":
        # A password with a slash in it, not encoded: what looks like the host is a part of it.
        return "redis.url"
    host = parts.hostname or ""
    return f"{host_in_url(host)}:{parts.port or REDIS_PORT}"


@contextmanager
def translated() -> Iterator[None]:
    """Turn what redis-py raises when the store is out of reach into StoreUnavailable."""
    try:
        yield
    except (RedisConnectionError, RedisTimeoutError, ClusterError, *_REFUSALS, OSError) as error:
        raise StoreUnavailable(type(error).__name__) from error
    except ResponseError as error:
        if refused := _REFUSED.search(str(error)):
            raise StoreUnavailable(refused[1]) from error
        raise
    except RedisError as error:
        raise StoreUnavailable(type(error).__name__) from error
