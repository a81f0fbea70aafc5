"""A code is redeemed at most once, whoever asks and however many at once."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

from deviceflow.core.grant import Event, Outcome, State
from deviceflow.store import keyspace
from tests.stage.store import ADA, BOB, Store

MakeStore = Callable[[], Awaitable[Store]]


async def test_of_sixty_redemptions_at_once_one_succeeds(store: Store, another: MakeStore) -> None:
    """8628-3.5-e, over three workers; one token family is stored, the winner's."""
    grant = await store.approved()
    workers = [store, await another(), await another()]

    async def redeem(number: int) -> tuple[Outcome, str]:
        worker = workers[number % 3]
        token, redemption = worker.redemption(grant)
        return await worker.grants.redeem(grant, redemption), token.hash

    results = await asyncio.gather(*(redeem(number) for number in range(60)))
    assert Counter(outcome for outcome, _ in results) == {Outcome.CHANGED: 1, Outcome.REFUSED: 59}
    (winner,) = [token for outcome, token in results if outcome is Outcome.CHANGED]
    (family,) = await store.connection.command("KEYS", keyspace.family("*"))
    assert await store.connection.command("HGET", family, "current") == winner.encode()


async def test_redemption_and_cancellation_at_once(store: Store) -> None:
    """Catalogue, section 3: either there are tokens, or the grant is cancelled; never both."""
    for _ in range(10):
        grant = await store.approved()
        _, redemption = store.redemption(grant)
        redeemed, cancelled = await asyncio.gather(
            store.grants.redeem(grant, redemption), store.grants.decide(grant, Event.CANCEL)
        )
        assert {redeemed, cancelled} == {Outcome.CHANGED, Outcome.REFUSED}
        state = await store.grants.state_of(grant.id)
        assert state is (State.REDEEMED if redeemed is Outcome.CHANGED else State.CANCELLED)
        key = keyspace.family(store.grants.family_name(grant.id))
        has_family = await store.connection.command("EXISTS", key)
        assert bool(has_family) is (redeemed is Outcome.CHANGED)


async def test_two_accounts_claim_at_once(store: Store, another: MakeStore) -> None:
    other = await another()
    for _ in range(10):
        grant = await store.grant()
        outcomes = await asyncio.gather(
            store.grants.claim(grant, ADA.sub), other.grants.claim(grant, BOB.sub)
        )
        assert sorted(outcomes) == [Outcome.CHANGED, Outcome.CLAIMED]


async def test_approval_and_denial_at_once(store: Store, another: MakeStore) -> None:
    """One person in two windows: the first button counts."""
    other = await another()
    for _ in range(10):
        grant = await store.grant()
        await store.grants.claim(grant, ADA.sub)
        approved, denied = await asyncio.gather(
            store.grants.decide(grant, Event.APPROVE, ADA),
            other.grants.decide(grant, Event.DENY, ADA),
        )
        assert {approved, denied} == {Outcome.CHANGED, Outcome.REFUSED}
        after = await store.read(grant)
        assert after.state is (State.APPROVED if approved is Outcome.CHANGED else State.DENIED)
        assert (after.approval is not None) is (approved is Outcome.CHANGED)


async def test_a_thousand_at_once_wait_for_one_another(store: Store) -> None:
    """A burst is no failure: there are fewer connections than commands."""
    grant = await store.grant()
    states = await asyncio.gather(*(store.grants.state_of(grant.id) for _ in range(1000)))
    assert set(states) == {State.PENDING}
