"""The list of devices on a real server: what is listed is exactly what lives, in every order.

The machine approves, denies, redeems, refreshes, disconnects, revokes and lets time pass, for two
people. Beside the store it keeps what each of them ought to see. The clock of the store stands
still, so the machine itself ends the keys whose time has come.
"""

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from deviceflow.core.claims import Subject
from deviceflow.core.grant import Event, Outcome
from deviceflow.store import keyspace
from deviceflow.store.access_tokens import mark_key
from deviceflow.store.families import Family, RefreshToken
from deviceflow.store.grant_records import Grant, Redemption
from deviceflow.store.new_grants import KEPT_AFTER_EXPIRY_MS
from tests.stage.clock import Clock
from tests.stage.examples import unless_few
from tests.stage.machine import StoreMachine
from tests.stage.store import ADA, BOB, IDLE_S, LIFETIME_S, Store
from tests.stage.valkey import Valkey

ACCESS_S = 300
FAMILY_S = 2000
MOST = 6

DECISIONS = [Event.APPROVE, Event.APPROVE, Event.APPROVE, Event.DENY]

which = st.integers(0, MOST - 1)


@dataclass
class Tracked:
    """A device as the test knows it. `lives_until`: 0 if it has no access."""

    grant: Grant
    owner: Subject | None = None
    token: RefreshToken | None = None
    lives_until: float = 0
    is_redeemed: bool = False
    is_marked: bool = False


class DeviceLists(StoreMachine):
    """Two people who connect and disconnect devices."""

    @initialize()
    def begin(self) -> None:
        self.store: Store = self.wait_for(self.empty_store())
        self.tracked: list[Tracked] = []

    def pick(self, index: int) -> Tracked:
        return self.tracked[index % len(self.tracked)]

    @precondition(lambda self: len(self.tracked) < MOST)
    @rule()
    def ask(self) -> None:
        self.tracked.append(Tracked(self.wait_for(self.store.grant())))

    @precondition(lambda self: self.tracked)
    @rule(index=which, person=st.sampled_from([ADA, BOB]), event=st.sampled_from(DECISIONS))
    def decide(self, index: int, person: Subject, event: Event) -> None:
        """Also by a person who has not claimed the grant, and once more by one who has."""
        device = self.pick(index)
        self.wait_for(self.store.grants.claim(device.grant, person.sub))
        outcome = self.wait_for(self.store.grants.decide(device.grant, event, person))
        if outcome is Outcome.CHANGED and event is Event.APPROVE and self.is_redeemable(device):
            device.owner, device.lives_until = person, device.grant.expires_at

    @precondition(lambda self: self.tracked)
    @rule(index=which, has_family=st.booleans())
    def redeem(self, index: int, has_family: bool) -> None:  # noqa: FBT001, drawn by hypothesis
        device = self.pick(index)
        if not self.is_redeemable(device):
            return  # the store's clock stands still, so it would not refuse
        now = int(self.clock())
        token = RefreshToken.new(self.store.grants.family_name(device.grant.id))
        family = Family(
            client_id="tv-app",
            scope="",
            subject=device.owner or ADA,
            expires_at=now + FAMILY_S,
            issued_at=now,
        )
        redemption = Redemption(family, token.hash, self.store.families.idle_until_ms(family))
        outcome = self.wait_for(
            self.store.grants.redeem(
                device.grant, redemption if has_family else None, access_ends_at=now + ACCESS_S
            )
        )
        assert (outcome is Outcome.CHANGED) is bool(device.lives_until and not device.is_redeemed)
        if outcome is Outcome.CHANGED:
            device.is_redeemed = True
            device.token = token if has_family else None
            device.lives_until = self.family_end(now + FAMILY_S) if has_family else now + ACCESS_S

    def family_end(self, expires_at: int) -> float:
        return min(expires_at, int(self.clock()) + IDLE_S)

    @precondition(lambda self: self.tracked)
    @rule(index=which)
    def refresh(self, index: int) -> None:
        device = self.pick(index)
        if device.token is None or device.is_marked:
            return  # the endpoint looks at the mark first
        presented = self.wait_for(self.store.families.find(device.token))
        assert (presented is not None) is bool(device.lives_until), "its family lives as it does"
        if presented is None:
            return
        name = device.token.name
        listed_at = self.wait_for(self.store.device_index.relist(name, presented))
        rotating = self.store.families.rotate(device.token, presented.family, "", listed_at)
        device.token = self.wait_for(rotating)
        assert device.token is not None
        device.lives_until = self.family_end(presented.family.expires_at)

    @precondition(lambda self: self.tracked)
    @rule(index=which, person=st.sampled_from([ADA, BOB]))
    def disconnect(self, index: int, person: Subject) -> None:
        device = self.pick(index)
        grant_id = self.store.devices.grant_id(device.grant.id)
        is_ended = self.wait_for(self.store.devices.disconnect(person.sub, grant_id))
        assert is_ended is (device.owner == person and device.lives_until > 0)
        if is_ended:
            device.lives_until = 0

    @precondition(lambda self: self.tracked)
    @rule(index=which, is_whole=st.booleans())
    def revoke(self, index: int, is_whole: bool) -> None:  # noqa: FBT001, drawn by hypothesis
        """By the client, or after a replay: nobody tells the list. Or the store fails after half.

        Then the family is there, and the next refresh finds the mark.
        """
        device = self.pick(index)
        grant_id = self.store.devices.grant_id(device.grant.id)
        if not device.is_redeemed:
            return
        if is_whole:
            self.wait_for(self.store.families.revoke(grant_id))
            device.token = None
        else:
            self.wait_for(self.connection.command("SET", mark_key(grant_id), "1", "EX", 9999))
            device.is_marked = True
        device.lives_until = 0

    @rule(person=st.sampled_from([ADA, BOB]))
    def disconnect_all(self, person: Subject) -> None:
        own = [each for each in self.tracked if each.owner == person and each.lives_until]
        assert self.wait_for(self.store.devices.disconnect_all(person.sub)) == len(own)
        for device in own:
            device.lives_until = 0

    @rule(seconds=st.sampled_from([1, ACCESS_S, LIFETIME_S, IDLE_S]))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)
        now = self.clock()
        for device in self.tracked:
            name = self.store.grants.family_name(device.grant.id)
            ended = []
            if now >= device.grant.expires_at + KEPT_AFTER_EXPIRY_MS / 1000:
                ended.append(keyspace.grant(name))
            if device.is_redeemed and now >= device.lives_until:
                ended += [keyspace.family(name), keyspace.living(name)]
            if now >= device.lives_until:
                device.lives_until = 0
            for key in ended:
                self.wait_for(self.connection.command("DEL", key))

    def is_redeemable(self, device: Tracked) -> bool:
        return self.clock() < device.grant.expires_at

    @invariant()
    def what_is_listed_lives(self) -> None:
        for person in (ADA, BOB):
            page = self.wait_for(self.store.devices.of(person.sub))
            expected = {
                self.store.devices.grant_id(each.grant.id)
                for each in self.tracked
                if each.owner == person and each.lives_until
            }
            assert {device.grant_id for device in page.devices} == expected


def test_what_is_listed_is_what_lives(valkey: Valkey, clock: Clock) -> None:
    start = clock()

    def make() -> DeviceLists:
        clock.now = start
        return DeviceLists(valkey, clock)

    run_state_machine_as_test(
        make,  # type: ignore[arg-type]  # any factory will do
        settings=settings(max_examples=unless_few(80), stateful_step_count=40, deadline=None),
    )
