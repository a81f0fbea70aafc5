"""The life of a grant, as two tables.

    (state, event) -> state
    event -> whose claim the grant may have

A pair that is not in the first table is refused and changes nothing. `expired` is not a state:
it is read off the clock, before the tables, and it outranks every state.

Rules in the tables:
- a claim leaves the grant pending and names the one account that may decide it;
- a release gives the claim back, so that another account of the same person can enter the code; it
  comes from the account that has claimed the grant, while nothing is decided;
- an approval or a denial comes from the account that has claimed the grant;
- a decision may be sent again by the one that made it, who may not know that it succeeded: it
  changes nothing, and is acknowledged once more;
- a denial, a cancellation and a redemption are final;
- an operator may cancel until the device has its tokens.

What runs is `store/scripts/transition.lua`, into which both tables are rendered. The order of
its checks and what it calls whose claim are written there by hand. `apply` is the model of it,
for the tests: `tests/store/test_grants_machine.py` holds the two together, step by step.
"""

from enum import StrEnum

import msgspec


class State(StrEnum):
    """The states of a grant. The store has all of them but SPENT.

    SPENT is what a worker remembers of a redeemed grant whose tokens the store does not give
    again, so that it does not ask a second time.
    """

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    CANCELLED = "cancelled"
    REDEEMED = "redeemed"
    SPENT = "spent"


class Event(StrEnum):
    """The events in the life of a grant."""

    CLAIM = "claim"
    RELEASE = "release"
    APPROVE = "approve"
    DENY = "deny"
    CANCEL = "cancel"
    REDEEM = "redeem"


TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.PENDING, Event.CLAIM): State.PENDING,
    (State.PENDING, Event.RELEASE): State.PENDING,
    (State.PENDING, Event.APPROVE): State.APPROVED,
    (State.PENDING, Event.DENY): State.DENIED,
    (State.PENDING, Event.CANCEL): State.CANCELLED,
    (State.APPROVED, Event.APPROVE): State.APPROVED,
    (State.APPROVED, Event.CANCEL): State.CANCELLED,
    (State.APPROVED, Event.REDEEM): State.REDEEMED,
    (State.DENIED, Event.DENY): State.DENIED,
    (State.CANCELLED, Event.CANCEL): State.CANCELLED,
}


CANCELLABLE = frozenset(state for state, event in TRANSITIONS if event is Event.CANCEL)
"""The states in which an operator may cancel a grant, by itself or with all of its client."""


class ClaimedBy(StrEnum):
    """Whose claim is on a grant, as the account that causes an event sees it."""

    NOBODY = "nobody"
    SELF = "self"
    ANOTHER = "another"


CLAIM_RULES: dict[Event, frozenset[ClaimedBy]] = {
    Event.CLAIM: frozenset({ClaimedBy.NOBODY, ClaimedBy.SELF}),
    Event.RELEASE: frozenset({ClaimedBy.SELF}),
    Event.APPROVE: frozenset({ClaimedBy.SELF}),
    Event.DENY: frozenset({ClaimedBy.SELF}),
    Event.CANCEL: frozenset(ClaimedBy),
    Event.REDEEM: frozenset(ClaimedBy),
}
"""Each event, and whose claim the grant may have when it happens."""


class Outcome(StrEnum):
    """The outcomes of an event."""

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
    """Return what `event`, caused by `account` at `now` (s), makes of a grant.

    `account` is the subject of the person, or empty for the operator and the device.
    """
    if record is None:
        return None, Outcome.MISSING
    if now >= record.expires_at:
        return record, Outcome.EXPIRED
    state = TRANSITIONS.get((record.state, event))
    if state is None:
        return record, Outcome.REFUSED
    if _claimed_by(record, account) not in CLAIM_RULES[event]:
        return record, Outcome.CLAIMED
    claimed_by = {Event.CLAIM: account, Event.RELEASE: ""}.get(event, record.claimed_by)
    return msgspec.structs.replace(record, state=state, claimed_by=claimed_by), Outcome.CHANGED


def _claimed_by(record: Record, account: str) -> ClaimedBy:
    # A grant without a claim has no owner, even if no account causes the event.
    if not record.claimed_by:
        return ClaimedBy.NOBODY
    return ClaimedBy.SELF if record.claimed_by == account else ClaimedBy.ANOTHER


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
    State.REDEEMED: None,
    State.SPENT: PollAnswer.INVALID_GRANT,
}
"""The error that a poll of an unexpired grant gets; None where the store may give tokens."""

# The poll path names these at every poll, and Python 3.11 is slow to find a member by its class.
PENDING = State.PENDING
AUTHORIZATION_PENDING = PollAnswer.AUTHORIZATION_PENDING
SLOW_DOWN = PollAnswer.SLOW_DOWN
