"""The life of a grant, as one table.

    (state, event) -> state

A pair that is not in the table is refused and changes nothing. `expired` is not a state: it is
read off the clock, before the table, and it outranks every state. The Lua that changes a grant
in the store is rendered from this table (`store/scripts`), so there is no second copy of it.

Rules around the table:
- a claim leaves the grant pending and names the one account that may decide it;
- an approval or a denial comes from the account that has claimed the grant, once;
- a denial, a cancellation and a redemption are final;
- an operator may cancel until the device has its tokens.
"""

from enum import StrEnum

import msgspec


class State(StrEnum):
    """What the store says of a grant."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    CANCELLED = "cancelled"
    REDEEMED = "redeemed"


class Event(StrEnum):
    """What may happen to a grant."""

    CLAIM = "claim"
    APPROVE = "approve"
    DENY = "deny"
    CANCEL = "cancel"
    REDEEM = "redeem"


TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.PENDING, Event.CLAIM): State.PENDING,
    (State.PENDING, Event.APPROVE): State.APPROVED,
    (State.PENDING, Event.DENY): State.DENIED,
    (State.PENDING, Event.CANCEL): State.CANCELLED,
    (State.APPROVED, Event.CANCEL): State.CANCELLED,
    (State.APPROVED, Event.REDEEM): State.REDEEMED,
}

NEEDS_CLAIM = frozenset({Event.APPROVE, Event.DENY})
"""Events that only the account which has claimed the grant may cause."""


class Outcome(StrEnum):
    """What became of an event."""

    CHANGED = "changed"
    REFUSED = "refused"
    CLAIMED = "claimed"
    EXPIRED = "expired"
    MISSING = "missing"


class Record(msgspec.Struct, frozen=True):
    """The part of a grant that the table is about. `expires_at` in s."""

    state: State
    expires_at: int
    claimed_by: str = ""


def apply(
    record: Record | None, event: Event, *, account: str, now: float
) -> tuple[Record | None, Outcome]:
    """What `event`, caused by `account` at `now` (s), makes of a grant.

    `account` is the subject of the person, or empty for the operator and the device.
    """
    if record is None:
        return None, Outcome.MISSING
    if now >= record.expires_at:
        return record, Outcome.EXPIRED
    state = TRANSITIONS.get((record.state, event))
    if state is None:
        return record, Outcome.REFUSED
    if event is Event.CLAIM and record.claimed_by not in ("", account):
        return record, Outcome.CLAIMED
    # Nobody has claimed it: then nobody, not even "nobody", may decide it.
    if event in NEEDS_CLAIM and (not account or record.claimed_by != account):
        return record, Outcome.CLAIMED
    claimed_by = account if event is Event.CLAIM else record.claimed_by
    return msgspec.structs.replace(record, state=state, claimed_by=claimed_by), Outcome.CHANGED


class PollAnswer(StrEnum):
    """The answers to a poll, in the words of RFC 8628 3.5 and RFC 6749 5.2."""

    # An enumeration computes its member's hash anew each time; a string keeps its own.
    __hash__ = str.__hash__

    AUTHORIZATION_PENDING = "authorization_pending"
    SLOW_DOWN = "slow_down"
    ACCESS_DENIED = "access_denied"
    EXPIRED_TOKEN = "expired_token"  # noqa: S105, an error code of RFC 8628
    INVALID_GRANT = "invalid_grant"


POLL_ANSWERS: dict[State, PollAnswer | None] = {
    State.PENDING: PollAnswer.AUTHORIZATION_PENDING,
    State.APPROVED: None,
    State.DENIED: PollAnswer.ACCESS_DENIED,
    State.CANCELLED: PollAnswer.ACCESS_DENIED,
    State.REDEEMED: PollAnswer.INVALID_GRANT,
}
"""The error that a poll of an unexpired grant gets; None where it gets tokens."""

# The poll path names these at every poll, and Python 3.11 is slow to find a member by its class.
PENDING = State.PENDING
AUTHORIZATION_PENDING = PollAnswer.AUTHORIZATION_PENDING
SLOW_DOWN = PollAnswer.SLOW_DOWN
