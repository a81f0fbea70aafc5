"""What every shape can do, and the options of its connections."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple, Protocol

from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.driver_info import DriverInfo

from deviceflow.core.store_url import Login, StoreUrl

Value = str | bytes | int
"""What a command can consist of."""

Command = Sequence[Value]

RunTrip = Callable[[Sequence[Command]], Awaitable[list[Any]]]
"""Sends commands in one round trip; the answers may be errors."""

CLIENT_NAME = "deviceflow"

DRIVER = DriverInfo()
"""What connections say about their library. redis-py would read its version anew for each one."""

SUBSCRIPTIONS = 2
"""Connections beside those for commands: one for each channel that a worker hears."""

KEYS_AT_ONCE = 1000
"""How many keys a server looks at in one step of a search."""


class ConnectionLimits(NamedTuple):
    """Times in s, and how often redis-py repeats a command whose connection broke.

    `connections`: how many commands may be on their way, to a Cluster: to each of its nodes.
    """

    command_s: float
    connect_s: float
    retries: int
    connections: int


class Shape(Protocol):
    """Every method may raise what redis-py raises, and OSError.

    `is_one_server`: any commands may be in one round trip, whatever their keys are.
    """

    is_one_server: bool

    async def run(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands over one connection, in one round trip; return their answers.

        Their keys are in one hash slot. An answer that is an error is in the list, not raised.
        If a connection breaks, all of them are sent again.
        """

    async def everywhere(self, *command: Value) -> dict[str, Any]:
        """Run a command at every primary; return its answers, by address ("" for the only one)."""

    async def publish(self, run: RunTrip, channel: str, *messages: str | bytes) -> None:
        """Send messages to all subscribers of a channel. All of them get them in one order.

        `run`: what sends the commands.
        """

    def subscription(self, channel: str) -> AbstractAsyncContextManager[PubSub]:
        """Subscribe to a channel, over a connection of its own."""

    async def subscribers(self, channel: str) -> int:
        """Return how many listen to a channel."""

    def keys(self, pattern: str) -> AsyncIterator[bytes]:
        """Find the keys that match at every primary, some of them twice."""

    async def drop(self) -> None:
        """Give up the connections that are not in use: they may lead to the wrong server."""

    async def close(self) -> None:
        """Close all connections."""


def connection_options(url: StoreUrl, limits: ConnectionLimits) -> dict[str, Any]:
    """Return what redis-py needs to know for a connection, except its address."""
    return {
        "username": url.login.username,
        "password": url.login.password,
        "socket_timeout": limits.command_s,
        "socket_connect_timeout": limits.connect_s,
        "health_check_interval": 15,
        "client_name": CLIENT_NAME,
        "driver_info": DRIVER,
    }


def sentinel_options(login: Login, limits: ConnectionLimits) -> dict[str, Any]:
    """Return the same for a connection to a Sentinel."""
    return {
        "username": login.username,
        "password": login.password,
        "socket_timeout": limits.connect_s,
        "socket_connect_timeout": limits.connect_s,
        # Skip a Sentinel that is away: with redis-py's own retry, that would take seconds.
        "retry": Retry(NoBackoff(), 0),
        "driver_info": DRIVER,
    }
