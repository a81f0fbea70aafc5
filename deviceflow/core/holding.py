"""Holding: how long the answer to a pending poll is held back, and who wanted that.

The rules:
- A device that asks (`Prefer: wait=N`, RFC 7240 4.3) is held for N seconds, up to the server's
  cap. With N = 0 it is not held. What the operator wants does not count then.
- A device that does not ask is held for the client's `hold_s`, or else the server's, up to the
  same cap. It sees a slow answer, and no header that it does not know.
- The interval counts from a poll to the next one (`core/pace.py`), however long the first was held.
  So a device that counts from its request may poll again as soon as it has its answer.
- A hold that the device did not ask for is at most the interval in force, or a multiple of it.
  Some libraries poll on a fixed beat: a tick that falls into a hold is made up for right after it,
  and the next one comes by the beat. With a hold of 7 s and an interval of 5 s, those two polls
  would be 3 s apart: too fast, if the first is not held. After 5 or 10 s, the beat is right again.
"""

from enum import StrEnum
from typing import Annotated, NamedTuple

from msgspec import Meta

MAX_HOLD_S = 25
"""The longest hold that no device asked for, in s. Common gateways wait 30 s for an answer."""

SAFE_HOLD_S = 3
"""The longest hold for which every common client waits, in s (docs/holding.md)."""

HoldSeconds = Annotated[int, Meta(ge=0, le=MAX_HOLD_S)]
"""How long a poll is held whose device did not ask; 0 for not at all."""


class Hold(NamedTuple):
    """A hold of `seconds`; `is_asked` if the device asked for it. 0 s is no hold."""

    seconds: int
    is_asked: bool

    @property
    def preference(self) -> int:
        """The seconds for `Preference-Applied` (RFC 7240 3); 0 for no such header."""
        return self.seconds if self.is_asked else 0

    def for_interval(self, interval: int) -> "Hold":
        """Return the hold for a grant with this interval in force, in s."""
        if self.is_asked or self.seconds <= interval:
            return self
        return Hold(self.seconds - self.seconds % interval, is_asked=False)


NO_HOLD = Hold(0, is_asked=False)


class HoldEnd(StrEnum):
    """What ended a hold. GONE: the device has hung up. STOP: the worker ends."""

    DECISION = "decision"
    TIME = "time"
    NEWER_POLL = "newer_poll"
    GONE = "gone"
    STOP = "stop"


class HoldRule(NamedTuple):
    """The server's rule. `cap`: the longest hold, in s; `hold_s`: that of a device that is silent.

    `cap` may be longer than MAX_HOLD_S: a device that asks knows how long it can wait.
    """

    cap: int
    hold_s: int = 0

    def of(self, requested: int | None, client_hold_s: int | None) -> Hold:
        """Return the hold of a poll.

        `requested`: what the device asks for, in s; None if it does not ask. `client_hold_s`: the
        client's own value; None if it has none.
        """
        if requested is not None:
            return Hold(min(requested, self.cap), is_asked=True)
        wanted = self.hold_s if client_hold_s is None else client_hold_s
        return Hold(min(wanted, self.cap), is_asked=False)
