"""Held polls: a device may ask to wait for the decision instead of polling again.

`Prefer: wait=N` (RFC 7240 4.3) holds a pending poll until the decision, N seconds, the server's
cap or the grant's expiry, whichever comes first. The answer says `Preference-Applied: wait=N`
with the seconds that were granted. Above the limit on held polls the answer comes at once, as
for a device that did not ask. No task waits: a held poll is one entry and one timer.

The hand-over. The lane holds polls too, but it makes no tokens. When a poll that it holds is
approved, the connection does two things: it leaves the seconds that were granted here, under its
transport (`hand_over`), and it feeds the poll's bytes to aiohttp. The device code grant then meets
that poll as a new request on the same transport and collects the seconds (`collect`). So it knows
that the poll was held: it says so in the answer, and neither judges its pace nor holds it again.
"""

import asyncio
import re
from collections.abc import Callable, Iterable

from deviceflow.core.clock import Clock
from deviceflow.core.device_code import DeviceCode
from deviceflow.core.grant import POLL_ANSWERS, PollAnswer, State
from deviceflow.store.mirror import Mirror

Finish = Callable[[PollAnswer | None], None]
"""Called once, with the answer; None means: approved, so tokens have to be made."""

# What follows a semicolon is a parameter of the preference and does not change its meaning.
_WAIT = re.compile(r"\s*wait\s*(?:=\s*(\"?)([0-9]{1,5})\1\s*)?(?:;.*)?", re.IGNORECASE)
_NAMED_WAIT = re.compile(r"\s*wait\s*(?:[=;]|$)", re.IGNORECASE)


def requested_wait(preferences: Iterable[str]) -> int:
    """Return the seconds that the values of the Prefer headers ask for, 0 for none.

    If a preference is given twice, the first one counts, whatever it says (RFC 7240 2).
    """
    for preference in ",".join(preferences).split(","):
        if _NAMED_WAIT.match(preference):
            wait = _WAIT.fullmatch(preference)
            return int(wait[2] or 0) if wait else 0
    return 0


def preference_applied(wait: int) -> dict[str, str]:
    """Make the Preference-Applied header (RFC 7240 3)."""
    return {"Preference-Applied": f"wait={wait}"}


class HeldPolls:
    """The held polls of one worker, each under its connection's transport."""

    def __init__(self, mirror: Mirror, clock: Clock, *, max_held: int, max_wait: int) -> None:
        self.max_wait = max_wait
        self._mirror = mirror
        self._clock = clock
        self._max_held = max_held
        self._held: dict[object, _HeldPoll] = {}
        self._handed_over: dict[object, int] = {}

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, transport: object, code: DeviceCode, wait: int, finish: Finish) -> bool:
        """Hold the poll that came over `transport`; return False if there is no room for it.

        `transport` is None if the device has gone in the meantime.
        """
        if len(self._held) >= self._max_held or transport in self._held or transport is None:
            return False
        left = min(wait, code.expires_at - self._clock())
        held = _HeldPoll(self, transport, code, finish)
        held.timer = asyncio.get_running_loop().call_later(left, held.time_is_up)
        self._held[transport] = held
        self._mirror.watch(code.grant_id, held.decided)
        return True

    def held_answer(
        self, transport: object, code: DeviceCode, wait: int
    ) -> asyncio.Future[PollAnswer | None] | None:
        """Hold a poll of the ordinary handler; return its future answer, or None for no room."""
        future: asyncio.Future[PollAnswer | None] = asyncio.get_running_loop().create_future()

        def finish(answer: PollAnswer | None) -> None:
            # The handler that waits for it may have been cancelled.
            if not future.done():
                future.set_result(answer)

        return future if self.hold(transport, code, wait, finish) else None

    def hand_over(self, transport: object, wait: int) -> None:
        """Leave the seconds that the lane granted for the ordinary handler (see above)."""
        self._handed_over[transport] = wait

    def collect(self, transport: object) -> int:
        """Take the seconds that the lane left for the poll on `transport`, 0 for none."""
        return self._handed_over.pop(transport, 0)

    def drop(self, transport: object) -> None:
        """Free the place of a device that has gone, or of every device before a stop."""
        self._handed_over.pop(transport, None)
        held = self._held.get(transport)
        if held is not None:
            self.finish(held, PollAnswer.AUTHORIZATION_PENDING)

    def drop_all(self) -> None:
        """Answer every held poll and hold no more: the server is about to stop."""
        self._max_held = 0
        for transport in list(self._held):
            self.drop(transport)

    def finish(self, held: "_HeldPoll", answer: PollAnswer | None) -> None:
        """Answer one held poll, once."""
        if self._held.pop(held.transport, None) is None:
            return
        held.timer.cancel()
        self._mirror.unwatch(held.code.grant_id, held.decided)
        held.answer(answer)

    def is_expired(self, code: DeviceCode) -> bool:
        """Return whether the grant has ended while its poll was held."""
        return self._clock() >= code.expires_at


class _HeldPoll:
    __slots__ = ("_polls", "answer", "code", "timer", "transport")

    timer: asyncio.TimerHandle

    def __init__(
        self, polls: HeldPolls, transport: object, code: DeviceCode, answer: Finish
    ) -> None:
        self._polls = polls
        self.transport = transport
        self.code = code
        self.answer = answer

    def decided(self, state: State) -> None:
        self._polls.finish(self, POLL_ANSWERS[state])

    def time_is_up(self) -> None:
        expired = self._polls.is_expired(self.code)
        answer = PollAnswer.EXPIRED_TOKEN if expired else PollAnswer.AUTHORIZATION_PENDING
        self._polls.finish(self, answer)
