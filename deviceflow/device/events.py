"""The events of a device's polling, for progress displays, the demo and the benchmarks.

`polls` is the number of polls so far. `retry_in` is the time to the next poll, in seconds.
"""

import msgspec

from deviceflow.device.answers import Tokens
from deviceflow.device.errors import AccessDenied, ExpiredToken


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """`authorization_pending`: the person has not decided yet."""

    polls: int
    retry_in: float


class SlowDown(msgspec.Struct, frozen=True, kw_only=True):
    """`slow_down`. `interval`: the interval that holds from now on, in seconds."""

    interval: float
    polls: int
    retry_in: float


class Unreachable(msgspec.Struct, frozen=True, kw_only=True):
    """No answer, or 5xx or 429. `reason`: the cause in a few words. Polling goes on, less often."""

    reason: str
    polls: int
    retry_in: float


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """The last event: either `tokens`, or the `refusal` that `poll_until_decided` raises."""

    polls: int
    tokens: Tokens | None = None
    refusal: AccessDenied | ExpiredToken | None = None


Event = Pending | SlowDown | Unreachable | Decided
