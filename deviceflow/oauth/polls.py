"""Answering a poll from memory (RFC 8628 section 3.5): the one place that does.

The device code is opened, the mirror is asked for a decision, the pace table for the pace. No
await, no store, no lock: both the lane and the ordinary handler call this.
"""

from collections.abc import Callable
from typing import NamedTuple

from deviceflow.core.device_code import NONCE_BITS, DeviceCode
from deviceflow.core.grant import POLL_ANSWERS, Poll, State
from deviceflow.core.pace import PaceTable
from deviceflow.store.keys import Installation
from deviceflow.store.mirror import Mirror


class Verdict(NamedTuple):
    """`answer` is None where the store has to be asked; `interval` (s) comes with slow_down."""

    answer: Poll | None
    code: DeviceCode | None = None
    interval: int = 0


# An enumeration's members are slow to name.
_PENDING, _AUTHORIZATION_PENDING, _SLOW_DOWN = (
    State.PENDING,
    Poll.AUTHORIZATION_PENDING,
    Poll.SLOW_DOWN,
)
_NOT_OURS = Verdict(Poll.INVALID_GRANT)
_EXPIRED = Verdict(Poll.EXPIRED_TOKEN)


class Polls:
    """Judges polls in one worker."""

    def __init__(
        self,
        installation: Installation,
        mirror: Mirror,
        pace: PaceTable,
        clock: Callable[[], float],
    ) -> None:
        self._installation = installation
        self._mirror = mirror
        self._pace = pace
        self._clock = clock

    def judge(self, device_code: bytes, client_id: bytes) -> Verdict:
        """What this poll gets, as far as this worker's memory tells."""
        code = self._installation.codes.open(device_code, client_id)
        if code is None:
            return _NOT_OURS
        now = self._clock()
        if now >= code.expires_at:
            return _EXPIRED
        state = self._mirror.state_of(code.grant_id)
        if state is not _PENDING:
            # A decided grant waits for no pace.
            return Verdict(POLL_ANSWERS[state] if state else None, code)
        return self.keep_pace(code, now)

    def keep_pace(self, code: DeviceCode, now: float) -> Verdict:
        """Pending, or too fast."""
        grant_id = code.grant_id
        interval = self._pace.judge(
            grant_id, grant_id >> NONCE_BITS, int(now * 1000), code.interval
        )
        return Verdict(_SLOW_DOWN if interval else _AUTHORIZATION_PENDING, code, interval)
