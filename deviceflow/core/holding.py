"""Holding: how long the answer to a pending poll is held back, and who wanted that.

The rules:
- A device that asks (`Prefer: wait=N`, RFC 7240 4.3) is held for N seconds, up to the server's
  cap. With N = 0 it is not held. What the operator wants does not count then.
- A device that does not ask is held for the client's `hold_s`, or else the server's, up to the
  same cap. It sees a slow answer, and no header that it does not know.
- A pause between polls counts from the poll, not from its answer. So a device that was held may
  poll again at once, as soon as the interval has passed since it asked.
"""

from enum import StrEnum
from typing import Annotated, NamedTuple

from msgspec import Meta

MAX_HOLD_S = 25
"""The longest hold that nobody asked for, in s. Common gateways wait 29 or 30 s for an answer."""

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
