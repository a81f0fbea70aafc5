"""The script in the store and the table in Python, step by step on a real server.

A state machine does at random whatever accounts, the operator, the device and time can do to
a few grants, compares each outcome and each resulting grant with `core.grant.apply`, and looks
after every step that a family of refresh tokens exists for redeemed grants only.
"""

import time

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from deviceflow.core.claims import Subject
from deviceflow.core.grant import Event, Outcome, Record, State, apply
from deviceflow.core.user_code import UserCodeFormat
from deviceflow.store import keyspace
from deviceflow.store.client_cancellations import ClientCancellations
from deviceflow.store.grant_records import Grant
from tests.stage.clock import Clock
from tests.stage.examples import unless_few
from tests.stage.machine import StoreMachine
from tests.stage.valkey import Valkey

MOST_GRANTS = 3

accounts = st.sampled_from(["", "sub-ada", "sub-bob"])


class GrantLife(StoreMachine):
    """Every grant that was issued, in the store and as a Record."""

    grants = Bundle[int]("grants")

    def __init__(self, valkey: Valkey, clock: Clock) -> None:
        super().__init__(valkey, clock)
        self.issued: dict[int, Grant] = {}
        self.records: dict[int, Record | None] = {}
        self.redeemed_with_family: set[int] = set()
        self.redemptions: dict[int, int] = {}

    @initialize()
    def begin(self) -> None:
        # The store's own clock goes on, and an old grant is kept for a minute only.
        self.clock.now = float(int(time.time()))
        self.store = self.wait_for(self.empty_store())

    # Few grants, so that much happens to each.
    @precondition(lambda self: len(self.issued) < MOST_GRANTS)
    @rule(target=grants, expires_in=st.sampled_from([600, 600, 600, 0, -1, -30]))
    def issue(self, expires_in: int) -> int:
        """A grant that has ended already, or has not."""
        request = self.store.request(int(self.clock()) + expires_in - 600)
        issued = self.wait_for(self.store.grants.issue(request, UserCodeFormat(), 600, 5))
        opened = self.store.installation.codes.open(issued.device_code.encode(), b"tv-app")
        assert opened is not None
        grant = self.wait_for(self.store.grants.get(opened.grant_id))
        assert grant is not None
        self.issued[grant.id] = grant
        self.records[grant.id] = Record(State.PENDING, opened.expires_at)
        return opened.grant_id

    @rule(grant_id=grants, account=accounts)
    def claim(self, grant_id: int, account: str) -> None:
        outcome = self.wait_for(self.store.grants.claim(self.issued[grant_id], account))
        self._compare(grant_id, Event.CLAIM, account, outcome)

    @rule(grant_id=grants, account=accounts)
    def release(self, grant_id: int, account: str) -> None:
        outcome = self.wait_for(self.store.grants.release(self.issued[grant_id], account))
        self._compare(grant_id, Event.RELEASE, account, outcome)

    @rule(grant_id=grants)
    def release_as_claimed(self, grant_id: int) -> None:
        """The account that has claimed it gives it back."""
        record = self.records[grant_id]
        self.release(grant_id, (record and record.claimed_by) or "sub-ada")

    @rule(grant_id=grants, event=st.sampled_from([Event.APPROVE, Event.DENY]), account=accounts)
    def decide(self, grant_id: int, event: Event, account: str) -> None:
        subject = Subject(sub=account, username=account, auth_time=1) if account else None
        outcome = self.wait_for(self.store.grants.decide(self.issued[grant_id], event, subject))
        self._compare(grant_id, event, account, outcome)
        if outcome is Outcome.CHANGED and event is Event.APPROVE:
            assert self.wait_for(self.store.read(self.issued[grant_id])).approval == subject

    @rule(grant_id=grants)
    def decide_as_claimed(self, grant_id: int) -> None:
        """What usually happens: who has claimed it approves it."""
        record = self.records[grant_id]
        self.claim(grant_id, account := (record and record.claimed_by) or "sub-ada")
        self.decide(grant_id, Event.APPROVE, account)

    @rule(
        grant_id=grants,
        event=st.sampled_from([Event.APPROVE, Event.DENY]),
        account=st.sampled_from(["sub-ada", "sub-bob"]),
        scope=st.sampled_from(["", "openid"]),
    )
    def claim_and_decide(self, grant_id: int, event: Event, account: str, scope: str) -> None:
        """Both in one step: as a claim, and then a decision. A refused decision claims nothing."""
        grant, subject = self.issued[grant_id], Subject(sub=account, username=account, auth_time=1)
        record, before = self.records[grant_id], self.wait_for(self.store.grants.get(grant_id))
        outcome = self.wait_for(self.store.grants.claim_and_decide(grant, event, subject, scope))
        claimed, _ = apply(record, Event.CLAIM, account=account, now=self.clock())
        after, _ = apply(claimed, event, account=account, now=self.clock())
        if after is not None and after.state is not State.PENDING:
            self.records[grant_id] = claimed
        self._compare(grant_id, event, account, outcome)
        if outcome is Outcome.CHANGED and event is Event.APPROVE and before is not None:
            is_new = before.state is State.PENDING
            stored = self.wait_for(self.store.read(grant))
            assert stored.approval == subject
            assert stored.scope == (scope if scope and is_new else before.scope)

    @rule(grant_id=grants)
    def cancel(self, grant_id: int) -> None:
        grant = self.issued[grant_id]
        outcome = self.wait_for(self.store.grants.decide(grant, Event.CANCEL))
        self._compare(grant_id, Event.CANCEL, "", outcome)

    # Once there are as many as there will be: few rules do anything after it.
    @precondition(lambda self: len(self.issued) == MOST_GRANTS)
    @rule()
    def cancel_all_of_the_client(self) -> None:
        """By one mark: each grant that waits is cancelled, whatever was read of it before."""
        cancellations = ClientCancellations(self.store.connection, self.store.mirror)
        self.wait_for(cancellations.cancel("tv-app"))
        self.wait_for(cancellations.read())
        for grant_id, record in self.records.items():
            if record is not None and record.state in {State.PENDING, State.APPROVED}:
                self.records[grant_id] = msgspec.structs.replace(record, state=State.CANCELLED)

    @rule(grant_id=grants, with_family=st.sampled_from([True, True, False]))
    def redeem(self, grant_id: int, *, with_family: bool) -> None:
        grant = self.issued[grant_id]
        _, redemption = self.store.redemption(grant)
        given = redemption if with_family else None
        outcome = self.wait_for(self.store.grants.redeem(grant, given))
        self._compare(grant_id, Event.REDEEM, "", outcome)
        if outcome is Outcome.CHANGED:
            self.redemptions[grant_id] = self.redemptions.get(grant_id, 0) + 1
            if with_family:
                self.redeemed_with_family.add(grant_id)

    @rule(grant_id=grants)
    def time_passes(self, grant_id: int) -> None:
        """The grant's time is up: its stored end moves instead of the server's clock."""
        record = self.records[grant_id]
        if record is None:
            return
        ended = msgspec.structs.replace(record, expires_at=int(self.clock()) - 1)
        key = self.store.grants._key(grant_id)
        self.wait_for(self.connection.command("HSET", key, "expires", ended.expires_at))
        self.records[grant_id] = ended

    @rule(grant_id=grants)
    def vanish(self, grant_id: int) -> None:
        """The store forgets the grant."""
        self.wait_for(self.connection.command("DEL", self.store.grants._key(grant_id)))
        self.records[grant_id] = None

    @invariant()
    def the_store_says_what_the_table_says(self) -> None:
        for grant_id, record in self.records.items():
            grant = self.wait_for(self.store.grants.get(grant_id))
            stored = grant and Record(grant.state, grant.expires_at, grant.claimed_by or "")
            assert stored == record

    @invariant()
    def families_are_those_of_redeemed_grants(self) -> None:
        families = self.wait_for(self.connection.command("KEYS", keyspace.family("*")))
        names = {self.store.grants.family_name(each) for each in self.redeemed_with_family}
        assert {key.decode() for key in families} == {keyspace.family(name) for name in names}
        assert set(self.redemptions.values()) <= {1}

    def _compare(self, grant_id: int, event: Event, account: str, outcome: Outcome) -> None:
        after, expected = apply(self.records[grant_id], event, account=account, now=self.clock())
        assert outcome is expected
        self.records[grant_id] = after


def test_the_script_does_what_the_table_says(valkey: Valkey, clock: Clock) -> None:
    run_state_machine_as_test(
        lambda: GrantLife(valkey, clock),  # type: ignore[arg-type]  # any factory will do
        settings=settings(max_examples=unless_few(80), stateful_step_count=30, deadline=None),
    )
