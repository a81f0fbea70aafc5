"""The verdict on an answer to a poll, by what people have really decided. Pure.

The fleet knows the truth of each grant, because its own people decide. A decision takes effect at
some moment between its request and its answer. In between, the old and the new answer are right.
"""

from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from deviceflow.conformance.decisions import Choice
from deviceflow.device.answers import (
    NoAnswer,
    PollAnswer,
    Reply,
    StillPending,
    Tokens,
    TooFast,
    printable,
)
from deviceflow.device.errors import (
    AccessDenied,
    DeviceFlowError,
    ExpiredToken,
    MalformedAnswerError,
    ServerError,
)
from deviceflow.fleet.result import PollOutcome

CLOCK_S = 2.0
"""By how much the lifetime of a code may differ between the two clocks."""

_REDIRECTION = 3
_START_BYTES = 9
_EXAMPLE_CHARS = 160
_EXPIRED_CODES = frozenset({"expired_token", "invalid_grant"})
"""RFC 8628 3.5 names the first; RFC 6749 5.2 has the second for a grant that expired."""

_REGISTERED: Final = frozenset(
    {"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client"}
    | {"unsupported_grant_type", "invalid_scope", "invalid_target", "invalid_dpop_proof"}
    | {"use_dpop_nonce"}
)


class WrongKind(StrEnum):
    """The kinds of wrong outcomes: keys of `FleetResult.wrong`."""

    TOKENS_UNAPPROVED = "tokens without approval"
    TOKENS_DENIED = "tokens after denial"
    TOKENS_TWICE = "tokens of another grant"
    DENIED_UNASKED = "denied without a decision"
    DENIED_APPROVED = "denied after approval"
    EXPIRED_EARLY = "expired too early"
    EXPIRED_NEVER = "pending after its expiry"
    TOKENS_LOST = "tokens lost after approval"
    DENIAL_LOST = "denial lost"
    DECISION_UNKNOWN = "pending after the decision"
    CODE_LOST = "code lost before its expiry"
    REFUSED = "request refused"
    UNKNOWN_ERROR = "unknown error code"
    MALFORMED = "malformed answer"
    REDIRECT = "redirect"
    CODE_TWICE = "code given twice"
    REFRESH_REFUSED = "refresh refused"
    UNASKED = "answer to no request"


class Grant(msgspec.Struct, kw_only=True):
    """What is true of a grant. Times by the clock of the run.

    `expires_at`: counted from when the request for codes was sent, so it is the earliest moment.
    `expired_by`: counted from when the codes came, so it is the latest. `choice`: the person's
    decision, from when its request is sent; `decided_at`: when the server acknowledged it. Every
    poll that is sent after `known_at` must learn it. `is_over`: the device has stopped polling.
    """

    expires_at: float
    expired_by: float
    choice: Choice | None = None
    decided_at: float | None = None
    known_at: float | None = None
    is_over: bool = False

    def has_expired(self, now: float) -> bool:
        """Whether the server may say that it has expired."""
        return now >= self.expires_at - CLOCK_S

    def must_have_expired(self, sent: float) -> bool:
        """Whether the server must say so to a poll that was sent then."""
        return sent > self.expired_by + CLOCK_S


class Poll(NamedTuple):
    """When a poll was sent and answered."""

    sent: float
    answered: float


class Verdict(NamedTuple):
    """How an answer counts. `wrong`: its kind, empty if it is right. `ends`: it ends the polls."""

    outcome: PollOutcome
    wrong: str = ""
    example: str = ""
    ends: bool = False


def of_answer(grant: Grant, answer: PollAnswer, poll: Poll) -> Verdict:
    """Judge an answer that RFC 8628 3.5 describes."""
    match answer:
        case StillPending():
            return _waiting(grant, poll, PollOutcome.PENDING)
        case TooFast():
            return _waiting(grant, poll, PollOutcome.SLOW_DOWN)
        case NoAnswer():
            return Verdict(PollOutcome.ERROR)
        case Tokens():
            return Verdict(PollOutcome.TOKENS, _of_tokens(grant), ends=True)
        case AccessDenied():
            return Verdict(PollOutcome.DENIED, _of_denial(grant), ends=True)
        case ExpiredToken():
            return _expired(grant, poll, "expired_token")


def of_error(grant: Grant, error: DeviceFlowError, reply: Reply, poll: Poll) -> Verdict:
    """Judge an answer that `read_poll` refuses."""
    if isinstance(error, ServerError):
        if error.code in _EXPIRED_CODES:
            return _expired(grant, poll, error.code)
        kind = WrongKind.REFUSED if error.code in _REGISTERED else WrongKind.UNKNOWN_ERROR
        return Verdict(PollOutcome.WRONG, kind, describe(error, reply), ends=True)
    return Verdict(PollOutcome.WRONG, kind_of(error, reply), describe(error, reply))


def kind_of(error: DeviceFlowError, reply: Reply) -> str:
    """Return the kind of an answer that cannot be read, or refuses a request for codes."""
    if reply.status // 100 == _REDIRECTION:
        return WrongKind.REDIRECT
    if isinstance(error, MalformedAnswerError):
        return WrongKind.MALFORMED
    if isinstance(error, ServerError) and error.code not in _REGISTERED:
        return WrongKind.UNKNOWN_ERROR
    return WrongKind.REFUSED


def describe(error: DeviceFlowError, reply: Reply) -> str:
    """Describe an answer for an example: its status, error code and first letters.

    Not more of it: a server that answers in another format may have put tokens into the body.
    """
    code = f", {error.code}" if isinstance(error, ServerError) else ""
    start = printable(reply.body[:_START_BYTES].decode("utf-8", "replace"))
    return f"{reply}{code}, {len(reply.body)} bytes that begin with {start!r}"[:_EXAMPLE_CHARS]


def _waiting(grant: Grant, poll: Poll, outcome: PollOutcome) -> Verdict:
    if grant.must_have_expired(poll.sent):
        return Verdict(PollOutcome.WRONG, WrongKind.EXPIRED_NEVER, outcome, ends=True)
    # A slow_down says nothing of the state. The next poll does.
    is_pending = outcome is PollOutcome.PENDING
    if is_pending and grant.known_at is not None and poll.sent > grant.known_at:
        return Verdict(PollOutcome.WRONG, WrongKind.DECISION_UNKNOWN, grant.choice or "")
    return Verdict(outcome)


def _of_tokens(grant: Grant) -> str:
    if grant.choice is None:
        return WrongKind.TOKENS_UNAPPROVED
    return WrongKind.TOKENS_DENIED if grant.choice == "deny" else ""


def _of_denial(grant: Grant) -> str:
    if grant.choice is None:
        return WrongKind.DENIED_UNASKED
    return WrongKind.DENIED_APPROVED if grant.choice == "approve" else ""


def _expired(grant: Grant, poll: Poll, code: str) -> Verdict:
    if grant.has_expired(poll.answered):
        return Verdict(PollOutcome.EXPIRED, ends=True)
    if grant.decided_at is not None:
        lost = WrongKind.TOKENS_LOST if grant.choice == "approve" else WrongKind.DENIAL_LOST
        return Verdict(PollOutcome.WRONG, lost, code, ends=True)
    kind = WrongKind.EXPIRED_EARLY if code == "expired_token" else WrongKind.CODE_LOST
    return Verdict(PollOutcome.WRONG, kind, code, ends=True)
