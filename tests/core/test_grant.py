"""The life of a grant: the table, and rules that hold for every sequence of events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deviceflow.core.grant import (
    CLAIM_RULES,
    POLL_ANSWERS,
    TRANSITIONS,
    ClaimedBy,
    Event,
    Outcome,
    PollAnswer,
    Record,
    State,
    apply,
)

NOW = 1_800_000_000
DECISIONS = {Event.APPROVE, Event.DENY}
FINAL = {State.DENIED, State.CANCELLED, State.REDEEMED, State.SPENT}

accounts = st.sampled_from(["", "ada", "bob"])
events = st.sampled_from(Event)
records = st.builds(
    Record,
    state=st.sampled_from(State),
    expires_at=st.integers(NOW - 2, NOW + 2),
    claimed_by=accounts,
)
times = st.integers(NOW - 3, NOW + 3)
steps = st.lists(st.tuples(events, accounts, times))


def test_the_table_has_these_rows_and_no_others() -> None:
    assert {(before, event, after) for (before, event), after in TRANSITIONS.items()} == {
        ("pending", "claim", "pending"),
        ("pending", "release", "pending"),
        ("pending", "approve", "approved"),
        ("pending", "deny", "denied"),
        ("pending", "cancel", "cancelled"),
        ("approved", "approve", "approved"),
        ("approved", "cancel", "cancelled"),
        ("approved", "redeem", "redeemed"),
        ("denied", "deny", "denied"),
        ("cancelled", "cancel", "cancelled"),
    }


def test_the_claim_rules_are_these_and_no_others() -> None:
    anybody = {"nobody", "self", "another"}
    assert {
        "claim": {"nobody", "self"},
        "release": {"self"},
        "approve": {"self"},
        "deny": {"self"},
        "cancel": anybody,
        "redeem": anybody,
    } == CLAIM_RULES
    assert anybody == set(ClaimedBy)


def test_no_row_leaves_a_final_state() -> None:
    assert {after for (before, _), after in TRANSITIONS.items() if before in FINAL} <= FINAL
    assert all(before == after for (before, _), after in TRANSITIONS.items() if before in FINAL)


@given(records, events, accounts, times)
def test_a_pair_that_is_not_in_the_table_changes_nothing(
    record: Record, event: Event, account: str, now: int
) -> None:
    after, outcome = apply(record, event, account=account, now=now)
    if (record.state, event) not in TRANSITIONS:
        assert outcome in {Outcome.REFUSED, Outcome.EXPIRED}
    assert (after == record) or outcome is Outcome.CHANGED


@given(records, events, accounts, times)
def test_nothing_happens_after_expiry(record: Record, event: Event, account: str, now: int) -> None:
    after, outcome = apply(record, event, account=account, now=now)
    assert (outcome is Outcome.EXPIRED) == (now >= record.expires_at)
    if outcome is Outcome.EXPIRED:
        assert after == record


@given(events, accounts, times)
def test_a_grant_that_is_gone_stays_gone(event: Event, account: str, now: int) -> None:
    assert apply(None, event, account=account, now=now) == (None, Outcome.MISSING)


@given(steps)
def test_a_final_state_is_final(sequence: list[tuple[Event, str, int]]) -> None:
    record = Record(State.PENDING, NOW)
    for event, account, now in sequence:
        after, outcome = apply(record, event, account=account, now=now)
        assert after is not None
        if record.state in FINAL:
            assert after == record
            assert outcome is not Outcome.CHANGED or event in {Event.DENY, Event.CANCEL}
        record = after


@given(steps)
def test_who_claims_first_decides(sequence: list[tuple[Event, str, int]]) -> None:
    """A second account cannot claim, approve or deny a grant unless the first gives it back."""
    record = Record(State.PENDING, NOW)
    for event, account, now in sequence:
        after, outcome = apply(record, event, account=account, now=now)
        assert after is not None
        if outcome is Outcome.CHANGED and event in DECISIONS:
            assert account == record.claimed_by != ""
        if record.claimed_by and after.claimed_by != record.claimed_by:
            assert (event, account, after.claimed_by) == (Event.RELEASE, record.claimed_by, "")
            assert after.state is State.PENDING
        record = after


@given(steps)
def test_tokens_come_from_one_approval_and_only_once(
    sequence: list[tuple[Event, str, int]],
) -> None:
    record = Record(State.PENDING, NOW)
    happened: list[Event] = []
    for event, account, now in sequence:
        after, outcome = apply(record, event, account=account, now=now)
        assert after is not None
        record = after
        if outcome is Outcome.CHANGED and event not in {Event.CLAIM, Event.RELEASE, *happened[-1:]}:
            happened.append(event)
    assert happened.count(Event.REDEEM) <= 1
    if Event.REDEEM in happened:
        assert happened == [Event.APPROVE, Event.REDEEM]


@pytest.mark.parametrize("event", sorted(DECISIONS))
@pytest.mark.parametrize("account", ["", "ada"])
def test_what_nobody_has_claimed_nobody_decides(event: Event, account: str) -> None:
    record = Record(State.PENDING, NOW)
    assert apply(record, event, account=account, now=0) == (record, Outcome.CLAIMED)


def test_who_has_claimed_may_claim_again() -> None:
    """The same account may claim twice, because it may load the page twice."""
    record, _ = apply(Record(State.PENDING, NOW), Event.CLAIM, account="ada", now=0)
    assert record == Record(State.PENDING, NOW, "ada")
    assert apply(record, Event.CLAIM, account="ada", now=0) == (record, Outcome.CHANGED)
    assert apply(record, Event.CLAIM, account="bob", now=0) == (record, Outcome.CLAIMED)


def test_a_claim_can_be_given_back_and_taken_by_another_account() -> None:
    claimed = Record(State.PENDING, NOW, "ada")
    assert apply(claimed, Event.RELEASE, account="bob", now=0) == (claimed, Outcome.CLAIMED)
    released, outcome = apply(claimed, Event.RELEASE, account="ada", now=0)
    assert (released, outcome) == (Record(State.PENDING, NOW), Outcome.CHANGED)
    assert apply(released, Event.RELEASE, account="ada", now=0) == (released, Outcome.CLAIMED)
    assert apply(released, Event.CLAIM, account="bob", now=0)[1] is Outcome.CHANGED
    for state in set(State) - {State.PENDING}:
        decided = Record(state, NOW, "ada")
        assert apply(decided, Event.RELEASE, account="ada", now=0) == (decided, Outcome.REFUSED)


def test_a_decision_may_be_sent_again_by_the_one_that_made_it() -> None:
    """It may be that the answer was lost. Nobody else can take part, and nothing changes."""
    for state, event in ((State.APPROVED, Event.APPROVE), (State.DENIED, Event.DENY)):
        record = Record(state, NOW, "ada")
        assert apply(record, event, account="ada", now=0) == (record, Outcome.CHANGED)
        assert apply(record, event, account="bob", now=0) == (record, Outcome.CLAIMED)
        other = DECISIONS - {event}
        assert apply(record, other.pop(), account="ada", now=0) == (record, Outcome.REFUSED)
    record = Record(State.CANCELLED, NOW)
    assert apply(record, Event.CANCEL, account="", now=0) == (record, Outcome.CHANGED)


def test_the_operator_cancels_until_the_device_has_its_tokens() -> None:
    for state in (State.PENDING, State.APPROVED):
        record = Record(state, NOW, "ada")
        after, outcome = apply(record, Event.CANCEL, account="", now=0)
        assert (after, outcome) == (Record(State.CANCELLED, NOW, "ada"), Outcome.CHANGED)
    assert apply(Record(State.REDEEMED, NOW), Event.CANCEL, account="", now=0)[1] is Outcome.REFUSED


def test_every_state_has_an_answer_and_only_approval_leads_to_tokens() -> None:
    """8628-3.5-a, 8628-3.5-c, 8628-3.5-e."""
    assert POLL_ANSWERS == {
        State.PENDING: PollAnswer.AUTHORIZATION_PENDING,
        State.APPROVED: None,
        State.DENIED: PollAnswer.ACCESS_DENIED,
        State.CANCELLED: PollAnswer.ACCESS_DENIED,
        State.REDEEMED: None,
        State.SPENT: PollAnswer.INVALID_GRANT,
    }
