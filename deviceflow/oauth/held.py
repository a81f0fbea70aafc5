"""Held polls: a device may ask to wait for the decision instead of polling again.

`Prefer: wait=N` (RFC 7240 4.3) holds a pending poll until the decision, N seconds, the server's
cap or the grant's expiry, whichever comes first; the answer says `Preference-Applied: wait=N`
with the seconds that were granted. Past the limit on held polls the answer comes at once, as
for a device that did not ask. No task waits: a held poll is one entry and one timer.
"""

import asyncio
import re
from collections.abc import Callable, Iterable

from deviceflow.core.device_code import DeviceCode
from deviceflow.core.grant import POLL_ANSWERS, Poll, State
from deviceflow.store.mirror import Mirror

Finish = Callable[[Poll | None], None]
"""Called once, with the answer; None means: approved, go and redeem."""

# What follows a semicolon is a parameter of the preference, and means nothing to this one.
_WAIT = re.compile(r"\s*wait\s*(?:=\s*(\"?)([0-9]{1,5})\1\s*)?(?:;.*)?", re.IGNORECASE)
_NAMED_WAIT = re.compile(r"\s*wait\s*(?:[=;]|$)", re.IGNORECASE)


def asked_wait(preferences: Iterable[str]) -> int:
    """The seconds that the values of the Prefer headers ask for, 0 for none.

    Of a preference that is given twice the first counts, whatever it says (RFC 7240 2).
    """
    for preference in ",".join(preferences).split(","):
        if _NAMED_WAIT.match(preference):
            found = _WAIT.fullmatch(preference)
            return int(found[2] or 0) if found else 0
    return 0


def applied(wait: int) -> dict[str, str]:
    """The header that says so."""
    return {"Preference-Applied": f"wait={wait}"}


class HeldPolls:
    """The held polls of one worker, by connection."""

    def __init__(
        self, mirror: Mirror, clock: Callable[[], float], *, max_held: int, max_wait: int
    ) -> None:
        self._mirror = mirror
        self._clock = clock
        self._max_held = max_held
        self.max_wait = max_wait
        self._held: dict[object, _Held] = {}
        self._granted: dict[object, int] = {}

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, connection: object, code: DeviceCode, wait: int, finish: Finish) -> bool:
        """Hold the poll that came over `connection`; False where there is no room for it.

        `connection` is None where the device has gone meanwhile.
        """
        if len(self._held) >= self._max_held or connection in self._held or connection is None:
            return False
        left = min(wait, code.expires_at - self._clock())
        held = _Held(self, connection, code, finish)
        held.timer = asyncio.get_running_loop().call_later(left, held.time_is_up)
        self._held[connection] = held
        self._mirror.watch(code.grant_id, held.decided)
        return True

    def held_future(
        self, connection: object, code: DeviceCode, wait: int
    ) -> "asyncio.Future[Poll | None] | None":
        """Hold a poll of the ordinary handler: its answer to come, or None for no room."""
        future: asyncio.Future[Poll | None] = asyncio.get_running_loop().create_future()

        def finish(answer: Poll | None) -> None:
            # Whoever waited for it may have been cancelled.
            if not future.done():
                future.set_result(answer)

        return future if self.hold(connection, code, wait, finish) else None

    def note_granted(self, connection: object, wait: int) -> None:
        """The lane held a poll and leaves its answer to the ordinary handler."""
        self._granted[connection] = wait

    def take_granted(self, connection: object) -> int:
        """The wait that the lane granted to the poll that `connection` now brings, 0 for none."""
        return self._granted.pop(connection, 0)

    def drop(self, connection: object) -> None:
        """The device has gone, or the server is about to: the place is free again."""
        self._granted.pop(connection, None)
        held = self._held.get(connection)
        if held is not None:
            self.finish(held, Poll.AUTHORIZATION_PENDING)

    def drop_all(self) -> None:
        """Answer every held poll, and hold no more: the server is about to stop."""
        self._max_held = 0
        for connection in list(self._held):
            self.drop(connection)

    def finish(self, held: "_Held", answer: Poll | None) -> None:
        """Answer one held poll, once."""
        if self._held.pop(held.connection, None) is None:
            return
        held.timer.cancel()
        self._mirror.unwatch(held.code.grant_id, held.decided)
        held.answer(answer)

    def is_expired(self, code: DeviceCode) -> bool:
        """Whether the grant has ended while its poll was held."""
        return self._clock() >= code.expires_at


class _Held:
    """One held poll."""

    __slots__ = ("_polls", "answer", "code", "connection", "timer")

    timer: asyncio.TimerHandle

    def __init__(
        self, polls: HeldPolls, connection: object, code: DeviceCode, answer: Finish
    ) -> None:
        self._polls = polls
        self.connection = connection
        self.code = code
        self.answer = answer

    def decided(self, state: State) -> None:
        self._polls.finish(self, POLL_ANSWERS[state])

    def time_is_up(self) -> None:
        expired = self._polls.is_expired(self.code)
        self._polls.finish(self, Poll.EXPIRED_TOKEN if expired else Poll.AUTHORIZATION_PENDING)
