"""All waiting grants of a client, cancelled by one mark."""

import pytest

from deviceflow.core.grant import Event, Outcome, State
from deviceflow.store import keyspace
from deviceflow.store.client_cancellations import MARK_KEPT_S, ClientCancellations
from deviceflow.store.grant_records import Grant
from tests.stage.store import ADA, Store


async def cancel(store: Store, client_id: str = "tv-app") -> None:
    """Cancel, and let this worker hear of it."""
    cancellations = ClientCancellations(store.connection, store.mirror)
    await cancellations.cancel(client_id)
    await cancellations.read()


async def now(store: Store, grant: Grant) -> Grant:
    found = await store.grants.get(grant.id)
    assert found is not None
    return found


async def test_what_waits_is_cancelled_and_what_comes_later_is_not(each_store: Store) -> None:
    before, approved = await each_store.grant(), await each_store.approved()
    await cancel(each_store)
    after = await each_store.grant()
    states = [(await now(each_store, grant)).state for grant in (before, approved, after)]
    assert states == [State.CANCELLED, State.CANCELLED, State.PENDING]


async def test_nothing_else_can_happen_to_it(each_store: Store) -> None:
    """Neither with a grant that was read before, nor with one that is read now."""
    pending, approved = await each_store.grant(), await each_store.approved()
    await cancel(each_store)
    grants = each_store.grants
    for grant in (pending, await now(each_store, pending)):
        assert await grants.claim(grant, ADA.sub) is Outcome.REFUSED
        for event in (Event.APPROVE, Event.DENY):
            assert await grants.decide(grant, event, ADA) is Outcome.REFUSED
            assert await grants.claim_and_decide(grant, event, ADA) is Outcome.REFUSED
    for grant in (approved, await now(each_store, approved)):
        assert await grants.redeem(grant, None) is Outcome.REFUSED
    assert await grants.decide(pending, Event.CANCEL) is Outcome.CHANGED


async def test_what_is_over_stays_what_it_is(each_store: Store) -> None:
    redeemed, denied = await each_store.approved(), await each_store.grant()
    assert await each_store.grants.redeem(redeemed, None) is Outcome.CHANGED
    assert await each_store.grants.claim(denied, ADA.sub) is Outcome.CHANGED
    assert await each_store.grants.decide(denied, Event.DENY, ADA) is Outcome.CHANGED
    await cancel(each_store)
    assert (await now(each_store, redeemed)).state is State.REDEEMED
    assert (await now(each_store, denied)).state is State.DENIED


async def test_other_clients_go_on(each_store: Store) -> None:
    grant = await each_store.grant()
    await cancel(each_store, "other")
    assert (await now(each_store, grant)).state is State.PENDING


async def test_the_mark_outlives_every_grant_and_is_announced(each_store: Store) -> None:
    before = await each_store.connection.command("GET", keyspace.REVISION)
    await cancel(each_store)
    lives_ms = await each_store.connection.command("PTTL", keyspace.CLIENT_CANCELLATIONS)
    assert (MARK_KEPT_S - 60) * 1000 < lives_ms <= MARK_KEPT_S * 1000
    assert await each_store.connection.command("GET", keyspace.REVISION) != before


@pytest.mark.parametrize("again", [False, True])
async def test_a_listener_hears_of_news_only(each_store: Store, *, again: bool) -> None:
    heard: list[int] = []
    each_store.mirror.on_cancellation(lambda: heard.append(1))
    await cancel(each_store)
    if again:
        await each_store.grant()
        await cancel(each_store)
    else:
        await ClientCancellations(each_store.connection, each_store.mirror).read()
    assert len(heard) == 1 + again
