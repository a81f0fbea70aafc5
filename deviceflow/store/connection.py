"""The connection to Redis or Valkey: commands, scripts, channels."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import cached_property, lru_cache
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self, TypeVar

from redis.asyncio.client import PubSub
from redis.exceptions import NoScriptError, RedisClusterException, RedisError

from deviceflow.core.store_url import StoreUrl
from deviceflow.ops.metrics.watches import StoreWatch
from deviceflow.store.errors import StoreUnavailable
from deviceflow.store.failures import READONLY, translated, unavailable
from deviceflow.store.shapes import (
    Command,
    ConnectionLimits,
    RunTrip,
    Shape,
    Value,
    opened,
)
from deviceflow.store.trips import LINES, Trips
from deviceflow.store.turns import Turns

COMMAND_TIMEOUT_S = 2.0
CONNECT_TIMEOUT_S = 1.0
RETRIES = 2
# redis-py repeats a command, and for each repetition the connecting: 18 s with a store that hangs.
DEADLINE_S = 5.0
MAX_CONNECTIONS = 64
PARTS_ASIDE = 4
"""One part in so many of the connections is for commands that must not hold up others."""

Answers = TypeVar("Answers")


class Durability(NamedTuple):
    """The number of replicas that must have a decision, and how long to wait for them."""

    replicas: int = 0
    timeout_ms: int = 500

    @property
    def wait_s(self) -> float:
        """How much longer a command may take because of it."""
        return self.timeout_ms / 1000 if self.replicas else 0.0


class ScriptCall(NamedTuple):
    """A script to run, with its keys, which are in one hash slot, and its arguments."""

    script: str
    keys: Sequence[str]
    args: Sequence[Value]

    def command(self, name: Literal["EVAL", "EVALSHA"]) -> Command:
        """Return the command that runs the script: by its text, or by the name of its text."""
        script = self.script if name == "EVAL" else _sha1(self.script)
        return (name, script, len(self.keys), *self.keys, *self.args)


def command_of(call: ScriptCall | Command, name: Literal["EVAL", "EVALSHA"]) -> Command:
    """Return the command that makes a call."""
    return call.command(name) if isinstance(call, ScriptCall) else call


class Connection:
    """One worker's connections to the store. Close it with `close()`.

    To one server, commands of the same moment share round trips (`trips`); to a Cluster, and where
    replicas must confirm, each call has a connection of its own.

    `deadline_s`: how long a command may take with all its repetitions. `most`: how many calls with
    a connection of their own may be on their way; in a burst, the others wait.
    `refused_channels`: where the last push message was refused, so that only the first refusal is
    logged. `drops`: how often the connections were given up. `watch`: what measures the commands,
    in a worker.

    `aside`: the same for commands that must not hold up others. They have trips of their own, and
    beside `most`, `most_aside` of them may be on their way.
    """

    def __init__(
        self,
        shape: Shape,
        durability: Durability | None = None,
        deadline_s: float = DEADLINE_S,
        most: int = MAX_CONNECTIONS,
        most_aside: int = MAX_CONNECTIONS // PARTS_ASIDE,
    ) -> None:
        self.shape = shape
        self.durability = durability or Durability()
        self.deadline_s = deadline_s
        self.refused_channels: set[str] = set()
        self.drops = 0
        self.watch: StoreWatch | None = None
        self._trips = Trips(self._run, self._within_s)
        self._turns = Turns(most)
        self._most_aside = most_aside
        self._main = self

    @classmethod
    def open(
        cls, url: str, durability: Durability | None = None, most: int = MAX_CONNECTIONS
    ) -> Self:
        """Return a connection to `url` (`core/store_url.py`), made at the first command."""
        durability = durability or Durability()
        limits = ConnectionLimits(
            command_s=COMMAND_TIMEOUT_S + durability.wait_s,
            connect_s=CONNECT_TIMEOUT_S,
            retries=RETRIES,
            # The lines of trips, here and of `aside`, are beside the calls that take turns.
            connections=most + 2 * LINES,
        )
        aside = max(1, most // PARTS_ASIDE)
        shape = opened(StoreUrl.parse(url), limits)
        return cls(shape, durability, most=max(1, most - aside), most_aside=aside)

    @cached_property
    def aside(self) -> "Connection":
        """The connection for starts of grants, of which strangers can send any number."""
        aside = Connection(self.shape, self.durability, self.deadline_s, self._most_aside)
        aside._main = self
        return aside

    @property
    def longest_wait_s(self) -> float:
        """The longest time that a command has waited so far, 0 if none waits.

        It waits for the answer of a shared trip, or for a connection of its own.
        """
        return max(self._turns.longest_wait_s, self._trips.longest_wait_s)

    async def close(self) -> None:
        """End the round trips that are under way, and close all connections."""
        await self._trips.close()
        if self is self._main:
            await self.aside.close()
            await self.shape.close()

    async def drop(self) -> None:
        """Give up the connections that are not in use: they lead to the wrong server."""
        self._main.drops += 1
        with suppress(RedisError, RedisClusterException, OSError):
            await self.shape.drop()

    async def command(self, *command: Value) -> Any:  # noqa: ANN401, whatever Redis says
        """Run one command. May raise StoreUnavailable."""
        return (await self.batch(command))[0]

    async def batch(self, *commands: Command) -> list[Any]:
        """Send several commands in one round trip. All their keys are in one hash slot.

        It is no transaction: other clients' commands may run in between. May raise
        StoreUnavailable; then each of the commands may have run.
        """
        return await self._watched(self._run_all, self._share, commands)

    async def attempt(self, *commands: Command) -> list[Any]:
        """Do the same, but return the errors with which the store answers among the answers."""
        return await self._watched(self._share, commands)

    async def batch_durably(self, *commands: Command) -> list[Any]:
        """Send commands; return only when enough replicas have what they wrote.

        May raise StoreUnavailable, also where too few replicas answer in time: the commands may
        have run, but no caller may rely on it.
        """
        if not self.durability.replicas:
            return await self.batch(*commands)
        # WAIT is about the writes of its own connection, so it is sent together with them. It
        # takes time, and must not delay the answers of other callers: so the trip is not shared.
        *answers, replicas = await self._watched(
            self._run_all, self._alone, (*commands, ("WAIT", *self.durability))
        )
        if self._main.watch:
            self._main.watch.note_replicas(are_enough=replicas >= self.durability.replicas)
        if replicas < self.durability.replicas:
            raise StoreUnavailable("too few replicas")
        return answers

    async def evaluate(self, script: str, keys: Sequence[str], *args: Value) -> Any:  # noqa: ANN401
        """Run a script, for the functions of `scripts` only. May raise StoreUnavailable."""
        return await self._run_one(ScriptCall(script, keys, args))

    async def evaluate_durably(self, script: str, keys: Sequence[str], *args: Value) -> Any:  # noqa: ANN401
        """Run a script, and return only when enough replicas have what it wrote.

        For the functions of `scripts` only. May raise StoreUnavailable, as `batch_durably` does.
        """
        (answer,) = await self._run_scripts(self.batch_durably, [ScriptCall(script, keys, args)])
        return answer

    async def run_each(self, *calls: ScriptCall | Command) -> list[Any]:
        """Run scripts and commands at the same time, for the functions of `scripts` only.

        Return their answers. Their keys may be in different hash slots; one server gets all of them
        in one trip. May raise StoreUnavailable; then each of them may have run, also twice.
        """
        if self.shape.is_one_server:
            return await self._run_scripts(self._batch_of_any_slots, calls)
        return await asyncio.gather(*(self._run_one(call) for call in calls))

    async def keys(self, pattern: str) -> AsyncIterator[str]:
        """Yield the keys that match, some of them twice. May raise StoreUnavailable."""
        with translated():
            async for key in self.shape.keys(pattern):
                yield key.decode()

    async def subscribers(self, channel: str) -> int:
        """Return how many listen to a channel. May raise StoreUnavailable."""
        return await self._watched(self._in_turn, self.shape.subscribers, channel)

    async def everywhere(self, *command: Value) -> dict[str, Any]:
        """Run a command at every primary; return the answers, by address."""
        return await self._watched(self._in_turn, self.shape.everywhere, *command)

    async def publish(self, channel: str, *messages: str | bytes) -> None:
        """Send messages to all subscribers of a channel, in one order for all of them."""
        await self._watched(self.shape.publish, self._share, channel, *messages)

    @asynccontextmanager
    async def subscription(self, channel: str) -> AsyncIterator[PubSub]:
        """Subscribe to a channel. May raise StoreUnavailable, also later."""
        with translated():
            async with self.shape.subscription(channel) as pubsub:
                yield pubsub

    async def _run_one(self, call: ScriptCall | Command) -> Any:  # noqa: ANN401
        (answer,) = await self._run_scripts(self.batch, [call])
        return answer

    async def _run_scripts(
        self, run: Callable[..., Awaitable[list[Any]]], calls: Sequence[ScriptCall | Command]
    ) -> list[Any]:
        try:
            return await run(*[command_of(call, "EVALSHA") for call in calls])
        except StoreUnavailable as error:
            if not isinstance(error.__cause__, NoScriptError):
                raise
            # EVAL leaves the script where the key is: no other node needs it.
            return await run(*[command_of(call, "EVAL") for call in calls])

    async def _batch_of_any_slots(self, *commands: Command) -> list[Any]:
        """Do what `batch` does, to one server, which does not mind where the keys are."""
        return await self._watched(self._run_all, self._trips.run, commands)

    async def _share(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands, together with those of others if they may be in the same trip."""
        if self.shape.is_one_server:
            return await self._trips.run(commands)
        return await self._alone(commands)

    async def _alone(self, commands: Sequence[Command]) -> list[Any]:
        return await self._in_turn(self._run, commands)

    async def _run(self, commands: Sequence[Command]) -> list[Any]:
        return await self.shape.run(commands)

    async def _run_all(self, run: RunTrip, commands: Sequence[Command]) -> list[Any]:
        answers = await run(commands)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers

    async def _watched(self, work: Callable[..., Awaitable[Answers]], *args: Any) -> Answers:  # noqa: ANN401
        """Do something at the store, and measure it. May raise StoreUnavailable."""
        try:
            with _Watched(self._main.watch):
                return await work(*args)
        except StoreUnavailable as error:
            if str(error) == READONLY:
                await self.drop()
            raise

    async def _in_turn(self, work: Callable[..., Awaitable[Answers]], *args: Any) -> Answers:  # noqa: ANN401
        """Do something at the store over a connection of its own, in time and in turn."""
        async with asyncio.timeout(self._within_s()), self._turns:
            return await work(*args)

    def _within_s(self) -> float:
        return self.deadline_s + self.durability.wait_s


@lru_cache
def _sha1(script: str) -> str:
    """Return the name that Redis gives a script."""
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()


class _Watched:
    """Measures what is done at the store, and translates its failures.

    A class with its two methods costs a command less than a generator.
    """

    __slots__ = ("_began", "_watch")

    def __init__(self, watch: StoreWatch | None) -> None:
        self._watch = watch

    def __enter__(self) -> None:
        self._began = self._watch.begin() if self._watch else 0.0

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        failure = None if error is None else unavailable(error)
        if self._watch:
            self._watch.end(self._began, failure or error)
        if failure is not None:
            raise failure from error
