"""Round trips to one server, which all that use a connection at the same moment share.

A round trip costs a worker many times what one more command in it costs: the connection is taken
and given back, the bytes are sent, an answer is waited for. So commands that become ready in the
same turn of the event loop travel together, and while LINES trips are on their way, further ones
gather for the next. A caller that is alone waits for nothing. docs/decisions/0049 has the figures.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from deviceflow.store.errors import own_copy
from deviceflow.store.shapes import Command, RunTrip
from deviceflow.tasks import end

LINES = 2
"""How many trips of a connection may be on their way. A large answer holds up one of them only."""

MOST_COMMANDS = 256
"""Cap on the commands of a trip, unless one caller has more: a trip must not hold up the store."""


class _Caller(NamedTuple):
    """`since`, `ends_at`: from when until when it waits, as the loop has the time."""

    commands: Sequence[Command]
    answers: asyncio.Future[list[Any]]
    since: float
    ends_at: float


class Trips:
    """Sends the commands of many callers with few calls of `run`.

    A trip that fails, fails for all callers in it, and for no other. `within_s`: how long a caller
    waits at most, and how long a trip may take with all its repetitions.
    """

    def __init__(self, run: RunTrip, within_s: Callable[[], float]) -> None:
        self._run = run
        self._within_s = within_s
        self._waiting: deque[_Caller] = deque()
        # Those that wait, and those under way, the oldest first. One timer is for all of them:
        # a time limit for each would cost a command as much as sending it.
        self._unanswered: deque[_Caller] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._busy = 0
        self._lines: set[asyncio.Task[None]] = set()

    async def run(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands in the next round trip; return their answers, or raise what `run` raises.

        May raise TimeoutError. A caller that is cancelled waits no longer. Its commands may have
        been sent.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        caller = _Caller(commands, loop.create_future(), now, now + self._within_s())
        self._waiting.append(caller)
        self._watch_the_time(loop, caller)
        if self._busy < LINES:
            self._busy += 1
            line = asyncio.create_task(self._travel())
            self._lines.add(line)
            line.add_done_callback(self._lines.discard)
        return await caller.answers

    @property
    def longest_wait_s(self) -> float:
        """How long the caller has waited that waits longest for its answers, 0 if none waits."""
        self._forget_the_answered()
        if not self._unanswered:
            return 0.0
        return asyncio.get_running_loop().time() - self._unanswered[0].since

    async def close(self) -> None:
        """End the trips that are under way. A caller that still waits for one is cancelled.

        A trip goes on when its callers have gone. One that is still connecting would leave its
        connection open behind the end of all others.
        """
        if self._timer is not None:
            self._timer.cancel()
        await end(*self._lines)

    async def _travel(self) -> None:
        """Make trips until no caller waits."""
        try:
            while callers := self._next():
                await self._make_trip(callers)
        finally:
            # In the same step in which it saw that no caller waits: the next caller starts a line.
            self._busy -= 1

    async def _make_trip(self, callers: Sequence[_Caller]) -> None:
        try:
            async with asyncio.timeout(self._within_s()):
                answers = await self._run([each for caller in callers for each in caller.commands])
        except BaseException as error:
            _fail(callers, error)
            if not isinstance(error, Exception):
                raise
        else:
            _deliver(callers, answers)

    def _watch_the_time(self, loop: asyncio.AbstractEventLoop, caller: _Caller) -> None:
        self._forget_the_answered()
        self._unanswered.append(caller)
        if self._timer is None:
            self._timer = loop.call_at(caller.ends_at, self._give_up)

    def _forget_the_answered(self) -> None:
        while self._unanswered and self._unanswered[0].answers.done():
            self._unanswered.popleft()

    def _give_up(self) -> None:
        """End the wait of those whose time is over."""
        loop, self._timer = asyncio.get_running_loop(), None
        while self._unanswered:
            caller = self._unanswered[0]
            if not caller.answers.done():
                if caller.ends_at > loop.time():
                    self._timer = loop.call_at(caller.ends_at, self._give_up)
                    return
                caller.answers.set_exception(TimeoutError())
            self._unanswered.popleft()

    def _next(self) -> list[_Caller]:
        """Take the callers of the next trip. One that has given up meanwhile sends nothing."""
        callers: list[_Caller] = []
        commands = 0
        while self._waiting:
            caller = self._waiting[0]
            if not caller.answers.done():
                commands += len(caller.commands)
                if callers and commands > MOST_COMMANDS:
                    break
                callers.append(caller)
            self._waiting.popleft()
        return callers


def _deliver(callers: Sequence[_Caller], answers: list[Any]) -> None:
    first = 0
    for caller in callers:
        end = first + len(caller.commands)
        if not caller.answers.done():
            caller.answers.set_result(answers[first:end])
        first = end


def _fail(callers: Sequence[_Caller], error: BaseException) -> None:
    for caller in callers:
        if caller.answers.done():
            continue
        if isinstance(error, Exception):
            caller.answers.set_exception(own_copy(error))
        else:
            caller.answers.cancel()
