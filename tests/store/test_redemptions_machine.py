"""The life of a redemption on a real server: a device, its lost answers, and who uses its tokens.

The device redeems, repeats, and uses what it has received, in any order, while the grace may end.
A redemption may also fail in the middle: the store has it, and no answer comes. Whatever happens,
all answers for a code have the tokens of one seed, none comes after the first use, and a device
that has received nothing can get them as long as the grace lasts.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from deviceflow.core.grant import Outcome, State
from deviceflow.store import keyspace
from deviceflow.store.redemptions import RedeemedTokens
from tests.stage.clock import Clock
from tests.stage.examples import unless_few
from tests.stage.machine import StoreMachine
from tests.stage.valkey import Valkey


class CodeLife(StoreMachine):
    """One approved code."""

    def __init__(self, valkey: Valkey, clock: Clock) -> None:
        super().__init__(valkey, clock)
        self.winner: bytes | None = None
        self.is_over = False
        self.received: list[RedeemedTokens] = []

    @initialize()
    def begin(self) -> None:
        self.store = self.wait_for(self.empty_store())
        self.grant = self.wait_for(self.store.approved())
        self.name = self.store.grants.family_name(self.grant.id)

    @rule(is_answered=st.booleans())
    def poll(self, *, is_answered: bool) -> None:
        """Redeem as the endpoint does, whether the grant is redeemed already or not."""
        tokens = self.store.tokens()
        token = self.store.redemptions.refresh_token(tokens, self.name)
        _, redemption = self.store.redemption(self.grant)
        redemption = redemption._replace(token_hash=token.hash)
        kept = self.store.redemptions.repeatable(tokens, 3600)
        outcome = self.wait_for(self.store.grants.redeem(self.grant, redemption, kept))
        assert (outcome is Outcome.CHANGED) is (self.winner is None)
        answer: RedeemedTokens | None = tokens
        if outcome is Outcome.CHANGED:
            self.winner = tokens.seed
        else:
            answer = self.wait_for(self.store.redemptions.find(self.name))
        assert (answer is None) is self.is_over
        if answer is not None and is_answered:
            self.received.append(answer)

    @precondition(lambda self: self.received)
    @rule()
    def refresh(self) -> None:
        token = self.store.redemptions.refresh_token(self.received[-1], self.name)
        presented = self.wait_for(self.store.families.find(token))
        if presented is not None:
            assert presented.is_good
            assert self.wait_for(self.store.families.rotate(token, presented.family)) is not None
        self.is_over = True

    @precondition(lambda self: self.received)
    @rule()
    def use_the_access_token(self) -> None:
        grant_id = self.store.families.grant_id(self.name)
        self.wait_for(self.store.redemptions.note_use(grant_id, int(self.clock())))
        self.is_over = True

    @precondition(lambda self: self.received)
    @rule()
    def sign_out(self) -> None:
        self.wait_for(self.store.families.revoke(self.store.families.grant_id(self.name)))
        self.is_over = True

    @precondition(lambda self: self.winner)
    @rule()
    def the_grace_ends(self) -> None:
        """As its TTL does it."""
        self.wait_for(self.connection.command("PEXPIRE", keyspace.redemption(self.name), 0))
        self.is_over = True

    @invariant()
    def there_is_one_set_of_tokens(self) -> None:
        assert {tokens.seed for tokens in self.received} <= {self.winner}

    @invariant()
    def the_seed_is_there_exactly_while_it_is_needed(self) -> None:
        stored = self.wait_for(self.connection.command("EXISTS", keyspace.redemption(self.name)))
        assert bool(stored) is (self.winner is not None and not self.is_over)
        state = self.wait_for(self.store.grants.state_of(self.grant.id))
        assert state is (State.APPROVED if self.winner is None else State.REDEEMED)


def test_a_code_has_one_set_of_tokens(valkey: Valkey, clock: Clock) -> None:
    run_state_machine_as_test(
        lambda: CodeLife(valkey, clock),  # type: ignore[arg-type]  # any factory will do
        settings=settings(max_examples=unless_few(60), stateful_step_count=15, deadline=None),
    )
