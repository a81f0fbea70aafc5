"""Grants are found: by user code, by number, by recent decisions."""

import pytest

from deviceflow.core.grant import Event, State
from deviceflow.core.user_code import LETTERS
from tests.stage.store import ADA, Store


async def test_a_new_grant_is_found_by_its_user_code(each_store: Store) -> None:
    issued = await each_store.issue()
    assert len(issued.user_code) == 8
    assert set(issued.user_code) <= set(LETTERS)
    grant = await each_store.grants.find(issued.user_code)
    assert grant is not None
    now = int(each_store.clock())
    assert grant.state is State.PENDING
    assert (grant.client_id, grant.scope) == ("tv-app", "openid profile")
    assert (grant.requested_at, grant.expires_at) == (now, now + 600)
    assert (grant.address, grant.device) == ("203.0.113.7", "NebulaTV 4.2")
    assert (grant.claimed_by, grant.approval) == (None, None)


async def test_an_unknown_code_finds_nothing(each_store: Store) -> None:
    await each_store.issue()
    assert await each_store.grants.find("BBBBBBBB") is None
    assert await each_store.grants.get(12345) is None
    assert await each_store.grants.state_of(12345) is None


async def test_an_unknown_code_takes_as_many_round_trips_as_a_known_one(
    each_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look-up that is not counted must not tell by its time which codes exist."""
    issued = await each_store.issue()
    sent: list[str] = []
    command = each_store.connection.command

    async def recorded(*sending: str) -> object:
        sent.append(sending[0])
        return await command(*sending)

    monkeypatch.setattr(each_store.connection, "command", recorded)
    assert await each_store.grants.recall(issued.user_code) is not None
    known = tuple(sent)
    sent.clear()
    assert await each_store.grants.recall("BBBBBBBB") is None
    assert tuple(sent) == known == ("GET", "HGETALL")


async def test_an_expired_grant_is_not_found(each_store: Store) -> None:
    issued = await each_store.issue(lifetime=30)
    each_store.clock.advance(29)
    assert await each_store.grants.find(issued.user_code) is not None
    each_store.clock.advance(1)
    assert await each_store.grants.find(issued.user_code) is None


async def test_a_code_that_is_found_is_not_counted_as_wrong(each_store: Store) -> None:
    issued = await each_store.issue()
    for _ in range(10):
        await each_store.grants.find(issued.user_code)
    assert (await each_store.slots.pressure(600)).wrong_codes_per_day == 0


async def test_the_newest_decisions_one_for_each_grant(each_store: Store) -> None:
    first, second, waiting = [await each_store.grant() for _ in range(3)]
    await each_store.grants.claim_and_decide(first, Event.APPROVE, ADA)
    await each_store.grants.claim_and_decide(second, Event.DENY, ADA)
    await each_store.grants.decide(waiting, Event.APPROVE, ADA)  # which has not been claimed
    await each_store.grants.decide(first, Event.CANCEL)
    newest = await each_store.grants.recent(10)
    assert [each.grant.id for each in newest] == [first.id, second.id]
    assert [each.grant.state for each in newest] == [State.CANCELLED, State.DENIED]
    assert [each.grant.id for each in await each_store.grants.recent(1)] == [first.id]


async def test_a_grant_that_cannot_be_read_is_passed_over(each_store: Store) -> None:
    good, bad = [await each_store.grant() for _ in range(2)]
    for grant in (good, bad):
        await each_store.grants.claim_and_decide(grant, Event.DENY, ADA)
    await each_store.connection.command("HSET", each_store.grants._key(bad.id), "expires", "x")
    assert [each.grant.id for each in await each_store.grants.recent(10)] == [good.id]
