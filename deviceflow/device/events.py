"""What happens while a device polls; for progress displays, the demo and the benchmarks.

Every event says how many polls were sent so far (`polls`); all but the last say in how many seconds
the next one leaves (`retry_in`).
"""

import msgspec

from deviceflow.device.answers import Tokens
from deviceflow.device.errors import AccessDenied, ExpiredToken


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """`authorization_pending`: nobody has decided yet."""

    polls: int
    retry_in: float


class SlowDown(msgspec.Struct, frozen=True, kw_only=True):
    """`slow_down`: `interval` is the new one, in seconds, in force from now on."""

    interval: float
    polls: int
    retry_in: float


class Unreachable(msgspec.Struct, frozen=True, kw_only=True):
    """No answer, or 5xx or 429; `reason` is a few words. Polling goes on, less often."""

    reason: str
    polls: int
    retry_in: float


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """The last event: either `tokens`, or the `refusal` that `poll_until_decided` would raise."""

    polls: int
    tokens: Tokens | None = None
    refusal: AccessDenied | ExpiredToken | None = None


Event = Pending | SlowDown | Unreachable | Decided
