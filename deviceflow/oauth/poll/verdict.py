"""What a poll gets, as far as this worker's memory tells (RFC 8628 section 3.5).

The device code is opened, the mirror is asked for a decision, the pace table for the pace. No
await, no store, no lock. Expiry is a date, so it is read off the wall clock. The pace is a
difference, so it is measured with a clock that does not step: when the host's time is corrected,
no obedient device is told to slow down.

The lane and the ordinary handler both judge here, and both build the answer with `answer_poll`, so
they cannot disagree.
"""

from aiohttp import web
from msgspec import Struct

from deviceflow.core.clock import Clock, SteadyClock
from deviceflow.core.device_code import NONCE_BITS, DeviceCode, DeviceCodes
from deviceflow.core.errors import OAuthError
from deviceflow.core.grant import (
    AUTHORIZATION_PENDING,
    PENDING,
    POLL_ANSWERS,
    SLOW_DOWN,
    PollAnswer,
)
from deviceflow.core.pace import PaceTable
from deviceflow.oauth.answers import error_response
from deviceflow.store.mirror import Mirror

DESCRIPTIONS = {
    PollAnswer.AUTHORIZATION_PENDING: "Nobody has decided yet. Keep polling.",
    PollAnswer.SLOW_DOWN: "Poll less often. Wait for the interval between polls.",
    PollAnswer.ACCESS_DENIED: "The request was denied.",
    PollAnswer.EXPIRED_TOKEN: "The device code has expired. Start again.",
    PollAnswer.INVALID_GRANT: "The device code is not valid for this client.",
}
"""The `error_description` of each answer."""


class Verdict(Struct, frozen=True, gc=False):
    """`answer` is None if the store has to be asked; `interval` (s) comes with slow_down."""

    answer: PollAnswer | None
    code: DeviceCode | None = None
    interval: int = 0


_INVALID = Verdict(PollAnswer.INVALID_GRANT)
_EXPIRED = Verdict(PollAnswer.EXPIRED_TOKEN)


class PollJudge:
    """Judges polls in one worker."""

    def __init__(
        self,
        codes: DeviceCodes,
        mirror: Mirror,
        pace: PaceTable,
        clock: Clock,
        steady: SteadyClock,
    ) -> None:
        self._codes = codes
        self._mirror = mirror
        self._pace = pace
        self._clock = clock
        self._steady = steady

    def judge(self, device_code: bytes, client_id: bytes) -> Verdict:
        """Judge a poll of `device_code` by `client_id`, and count it against the pace."""
        code = self._codes.open(device_code, client_id)
        if code is None:
            return _INVALID
        if self._clock() >= code.expires_at:
            return _EXPIRED
        state = self._mirror.state_of(code.grant_id, client_id)
        if state is not PENDING:
            # The pace never delays a decided grant.
            return Verdict(POLL_ANSWERS[state] if state else None, code)
        return self.keep_pace(code)

    def keep_pace(self, code: DeviceCode) -> Verdict:
        """Judge a poll of a pending grant by its pace alone."""
        grant_id = code.grant_id
        interval = self._pace.judge(
            grant_id, grant_id >> NONCE_BITS, int(self._steady() * 1000), code.interval
        )
        return Verdict(SLOW_DOWN if interval else AUTHORIZATION_PENDING, code, interval)

    def interval_of(self, code: DeviceCode) -> int:
        """Return the interval in force of a grant, in s."""
        grant_id = code.grant_id
        return self._pace.interval_of(grant_id, grant_id >> NONCE_BITS, code.interval)


_POLL_ANSWER = web.ResponseKey("poll_answer", PollAnswer)


def is_answer_of_lane(response: web.StreamResponse) -> bool:
    """Return whether the lane could have given this answer."""
    return _POLL_ANSWER in response


def answer_poll(verdict: Verdict) -> web.Response:
    """Build an error of RFC 8628 3.5; slow_down carries the interval that is now in force."""
    code = verdict.answer or PollAnswer.INVALID_GRANT
    error = OAuthError(code, DESCRIPTIONS[code], retry_after=verdict.interval)
    response = error_response(error, interval=verdict.interval)
    response[_POLL_ANSWER] = code
    return response
