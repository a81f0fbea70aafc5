"""The polling loop of a device (RFC 8628 3.5)."""

from collections.abc import AsyncGenerator, Awaitable, Callable

import msgspec

from deviceflow.device.answers import (
    NoAnswer,
    PollAnswer,
    Reply,
    StillPending,
    Tokens,
    TooFast,
    read_poll,
)
from deviceflow.device.errors import ExpiredToken, UnreachableError
from deviceflow.device.events import Decided, Event, Pending, SlowDown, Unreachable
from deviceflow.device.schedule import Schedule

SendPoll = Callable[[int], Awaitable[Reply]]
"""Sends a poll. The argument is the N of `Prefer: wait=N`, or 0. May raise UnreachableError."""


class Time(msgspec.Struct, frozen=True, kw_only=True):
    """A clock in seconds that never goes back, and a sleep by that clock."""

    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[object]]


async def poll(
    send: SendPoll, schedule: Schedule, *, expires_in: float, time: Time
) -> AsyncGenerator[Event, None]:
    """Poll until a decision or for `expires_in` seconds, and yield an event for every answer.

    The last event is Decided. May raise ServerError (any other error code), MalformedAnswerError.
    """
    deadline = time.clock() + expires_in
    pause, polls = schedule.before_first(), 0
    while True:
        await time.sleep(max(0.0, min(pause, deadline - time.clock())))
        started = time.clock()
        if started >= deadline:
            yield Decided(polls=polls, refusal=_too_late(expires_in))
            return
        polls += 1
        answer = await _answer(send, schedule.wait(deadline - started))
        event = _event(answer, schedule, time.clock() - started, polls)
        yield event
        if isinstance(event, Decided):
            return
        pause = event.retry_in


async def _answer(send: SendPoll, wait: int) -> PollAnswer:
    try:
        return read_poll(await send(wait))
    except UnreachableError as error:
        return NoAnswer(reason=error.reason)


def _event(answer: PollAnswer, schedule: Schedule, took: float, polls: int) -> Event:
    match answer:
        case StillPending(held=held):
            return Pending(polls=polls, retry_in=schedule.pending(took, held=held))
        case TooFast(interval=interval, retry_after=retry_after):
            pause = schedule.slow_down(interval, retry_after)
            return SlowDown(interval=schedule.interval, polls=polls, retry_in=pause)
        case NoAnswer(reason=reason, retry_after=retry_after):
            pause = schedule.unanswered(took, retry_after)
            return Unreachable(reason=reason, polls=polls, retry_in=pause)
        case Tokens():
            return Decided(polls=polls, tokens=answer)
        case _:
            return Decided(polls=polls, refusal=answer)


def _too_late(expires_in: float) -> ExpiredToken:
    return ExpiredToken("expired_token", f"not approved within {expires_in:.0f} s")
