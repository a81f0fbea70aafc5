"""Grants, on fakeredis and on a real server alike."""

import asyncio
from collections.abc import Awaitable, Callable
from unittest import mock

import pytest

from deviceflow.core import user_code
from deviceflow.core.grant import Event, Outcome, State
from deviceflow.core.user_code import UserCodeFormat
from deviceflow.store import keyspace
from deviceflow.store.errors import StoreUnavailable
from deviceflow.store.grant_records import DecisionPage
from deviceflow.store.new_grants import COLLISION_TRIES
from tests.stage.store import ADA, BOB, Store


async def test_the_device_code_names_the_grant(each_store: Store) -> None:
    issued = await each_store.issue()
    grant = await each_store.grants.find(issued.user_code)
    opened = each_store.installation.codes.open(issued.device_code.encode(), b"tv-app")
    assert grant is not None
    assert opened is not None
    assert (opened.grant_id, opened.expires_at, opened.interval) == (grant.id, grant.expires_at, 5)


async def test_no_two_grants_are_alike(each_store: Store) -> None:
    """8628-3.2-a."""
    issued = [await each_store.issue() for _ in range(50)]
    assert len({each.device_code for each in issued}) == 50
    assert len({each.user_code for each in issued}) == 50


async def test_claim_approve_redeem(each_store: Store) -> None:
    grant = await each_store.grant()
    assert await each_store.grants.claim(grant, ADA.sub) is Outcome.CHANGED
    assert (await each_store.read(grant)).claimed_by == ADA.sub
    assert await each_store.grants.decide(grant, Event.APPROVE, ADA) is Outcome.CHANGED
    approved = await each_store.read(grant)
    assert (approved.state, approved.approval) == (State.APPROVED, ADA)
    assert await each_store.grants.redeem(approved, None) is Outcome.CHANGED
    assert await each_store.grants.state_of(grant.id) is State.REDEEMED
    assert await each_store.grants.redeem(approved, None) is Outcome.REFUSED


async def test_a_grant_knows_when_it_was_approved(each_store: Store) -> None:
    """By the store's clock. An approval that is sent again is no new one."""
    grant = await each_store.grant()
    assert grant.approved_at is None
    await each_store.grants.claim(grant, ADA.sub)
    before = each_store.clock() - 5
    await each_store.grants.decide(grant, Event.APPROVE, ADA)
    approved_at = (await each_store.read(grant)).approved_at
    assert approved_at is not None
    assert approved_at > before
    assert await each_store.grants.decide(grant, Event.APPROVE, ADA) is Outcome.CHANGED
    assert (await each_store.read(grant)).approved_at == approved_at


async def test_the_name_of_a_grant_in_the_log_leads_nowhere(each_store: Store) -> None:
    """It is the same for all workers, and neither the name of a key nor a part of a code."""
    codes = await each_store.issue()
    grant = await each_store.grants.find(codes.user_code)
    assert grant is not None
    assert codes.log_id == each_store.grants.log_id(grant.id)
    assert len(codes.log_id) == 10
    assert codes.log_id not in codes.device_code
    assert codes.log_id not in each_store.grants.family_name(grant.id)
    assert codes.log_id != (await each_store.issue()).log_id


async def test_a_second_account_is_refused(each_store: Store) -> None:
    """Catalogue, section 3: a second account decides what the first has claimed."""
    grant = await each_store.grant()
    await each_store.grants.claim(grant, ADA.sub)
    assert await each_store.grants.claim(grant, BOB.sub) is Outcome.CLAIMED
    for event in (Event.APPROVE, Event.DENY):
        assert await each_store.grants.decide(grant, event, BOB) is Outcome.CLAIMED
    after = await each_store.read(grant)
    assert (after.state, after.claimed_by, after.approval) == (State.PENDING, ADA.sub, None)


@pytest.mark.parametrize("event", [Event.APPROVE, Event.DENY])
async def test_an_unclaimed_grant_is_decided_by_nobody(each_store: Store, event: Event) -> None:
    grant = await each_store.grant()
    for approval in (None, ADA):
        assert await each_store.grants.decide(grant, event, approval) is Outcome.CLAIMED
    assert (await each_store.read(grant)).state is State.PENDING


async def test_a_denial_is_final(each_store: Store) -> None:
    """Catalogue, section 3: a late approval does not revive a denied grant."""
    grant = await each_store.grant()
    await each_store.grants.claim(grant, ADA.sub)
    assert await each_store.grants.decide(grant, Event.DENY, ADA) is Outcome.CHANGED
    for event in (Event.APPROVE, Event.CANCEL):
        assert await each_store.grants.decide(grant, event, ADA) is Outcome.REFUSED
    assert await each_store.grants.decide(grant, Event.DENY, ADA) is Outcome.CHANGED
    assert await each_store.grants.claim(grant, ADA.sub) is Outcome.REFUSED
    assert await each_store.grants.redeem(grant, None) is Outcome.REFUSED
    after = await each_store.read(grant)
    assert (after.state, after.approval) == (State.DENIED, None)


async def test_the_operator_cancels_without_a_claim(each_store: Store) -> None:
    approved = await each_store.approved()
    assert await each_store.grants.decide(approved, Event.CANCEL) is Outcome.CHANGED
    assert await each_store.grants.redeem(approved, None) is Outcome.REFUSED
    assert await each_store.grants.state_of(approved.id) is State.CANCELLED


async def test_after_expiry_nothing_happens(each_store: Store) -> None:
    """The store's clock counts: this grant ended a second ago."""
    request = each_store.request(int(each_store.clock()) - 601)
    issued = await each_store.grants.issue(request, UserCodeFormat(), 600, 5)
    assert await each_store.grants.find(issued.user_code) is None
    opened = each_store.installation.codes.open(issued.device_code.encode(), b"tv-app")
    assert opened is not None
    grant = await each_store.grants.get(opened.grant_id)
    assert grant is not None
    assert await each_store.grants.claim(grant, ADA.sub) is Outcome.EXPIRED
    for event in (Event.APPROVE, Event.DENY, Event.CANCEL):
        assert await each_store.grants.decide(grant, event, ADA) is Outcome.EXPIRED
    assert await each_store.grants.redeem(grant, None) is Outcome.EXPIRED


async def test_a_vanished_grant_is_refused_and_not_resurrected(each_store: Store) -> None:
    """Catalogue, section 5: HSET must not bring back half a grant, without a TTL."""
    grant = await each_store.approved()
    for key in await each_store.connection.command("KEYS", keyspace.grant("*")):
        await each_store.connection.command("DEL", key)
    _, redemption = each_store.redemption(grant)
    assert await each_store.grants.claim(grant, ADA.sub) is Outcome.MISSING
    for event in (Event.APPROVE, Event.DENY, Event.CANCEL):
        assert await each_store.grants.decide(grant, event, ADA) is Outcome.MISSING
    assert await each_store.grants.redeem(grant, redemption) is Outcome.MISSING
    assert await each_store.grants.get(grant.id) is None
    for pattern in (keyspace.grant("*"), keyspace.family("*")):
        assert await each_store.connection.command("KEYS", pattern) == []


async def test_a_decision_is_in_the_decider_s_own_mirror_at_once(each_store: Store) -> None:
    grant = await each_store.approved()
    assert each_store.mirror.state_of(grant.id) is State.APPROVED
    await each_store.grants.redeem(grant, None)
    assert each_store.mirror.state_of(grant.id) is State.REDEEMED


async def test_a_refused_decision_leaves_only_a_hint(each_store: Store) -> None:
    """Another worker then asks the store, and hears what the state is."""
    grant = await each_store.grant()
    await each_store.grants.decide(grant, Event.APPROVE, BOB)
    assert each_store.mirror.state_of(grant.id) is State.PENDING
    await each_store.feed.catch_up()
    assert each_store.mirror.state_of(grant.id) is None
    assert await each_store.grants.state_of(grant.id) is State.PENDING


async def test_a_user_code_that_is_taken_is_drawn_again(each_store: Store) -> None:
    taken = await each_store.issue()
    draws = [taken.user_code, taken.user_code, "BCDFGHJK"]
    with mock.patch.object(user_code, "generate", side_effect=draws):
        issued = await each_store.issue()
    assert issued.user_code == "BCDFGHJK"
    before, after = [await each_store.grants.find(i.user_code) for i in (taken, issued)]
    assert before is not None
    assert after is not None
    assert before.id != after.id


async def test_two_letters_make_two_codes_and_no_third(each_store: Store) -> None:
    """8628-3.2-a: no code has two grants. With nothing left the store says so."""
    form = UserCodeFormat(alphabet="BC", length=1)

    async def issue() -> str:
        for _ in range(20):  # eight draws may all hit the same letter
            try:
                return (await each_store.grants.issue(each_store.request(), form, 60, 5)).user_code
            except StoreUnavailable:
                continue
        return ""

    with mock.patch.object(user_code, "length_for", return_value=1):
        assert sorted([await issue(), await issue()]) == ["B", "C"]
        with mock.patch.object(user_code, "generate", wraps=user_code.generate) as drawn:
            with pytest.raises(StoreUnavailable):
                await each_store.grants.issue(each_store.request(), form, 60, 5)
            assert drawn.call_count == COLLISION_TRIES


async def code_length(store: Store) -> int:
    """The length of a new code."""
    return len((await store.issue()).user_code)


async def test_small_installations_keep_short_codes(each_store: Store) -> None:
    lengths = {await code_length(each_store) for _ in range(100)}
    assert lengths == {8}


async def test_the_code_grows_with_the_fleet(each_store: Store) -> None:
    """8628-5.1-a."""
    assert await code_length(each_store) == 8
    await live(each_store, 100_000)
    assert await code_length(each_store) == 11


async def test_a_fresh_worker_among_a_million_grants_gives_long_codes_at_once(
    store: Store, another: Callable[[], Awaitable[Store]]
) -> None:
    await live(store, 1_000_000)
    assert await code_length(await another()) == 11


async def test_a_store_that_lost_its_data_begins_again(
    store: Store, another: Callable[[], Awaitable[Store]]
) -> None:
    other = await another()
    await live(store, 1_000_000)
    assert [await code_length(each) for each in (store, other)] == [11, 11]
    await store.connection.command("FLUSHALL")
    assert [await code_length(each) for each in (store, other)] == [8, 8]


async def test_a_fleet_that_is_gone_leaves_short_codes(each_store: Store) -> None:
    await live(each_store, 100_000)
    each_store.clock.advance(660)
    assert await code_length(each_store) == 8


async def test_the_code_grows_with_wrong_codes(each_store: Store) -> None:
    """8628-5.1-a: who guesses makes new codes longer, and locks nobody out."""
    for _ in range(100):
        assert await each_store.grants.find("BBBBBBBB") is None
    assert await code_length(each_store) == 8
    await wrong_codes(each_store, 1_000_000)
    assert await code_length(each_store) == 9
    each_store.clock.advance(660)
    assert await code_length(each_store) == 8


async def test_codes_never_get_shorter_while_two_workers_start_grants(
    store: Store, another: Callable[[], Awaitable[Store]]
) -> None:
    """1,200 grants, 16 at a time: a grant that is asked for after an answer has no shorter code."""
    workers = [store, await another()]
    grants = iter(range(1_200))
    longest, lengths = 0, []

    async def devices() -> None:
        nonlocal longest
        for number in grants:
            at_least = longest
            length = await code_length(workers[number % 2])
            assert length >= at_least
            longest = max(longest, length)
            lengths.append(length)

    await asyncio.gather(*(devices() for _ in range(16)))
    assert len(lengths) == 1_200
    assert set(lengths) == {8, 9}
    assert lengths.count(8) <= 177


async def live(store: Store, grants: int) -> None:
    """Let others start `grants` grants in this minute."""
    await store.slots._count(grants, 600)


async def wrong_codes(store: Store, codes: int) -> None:
    """Let others try `codes` wrong codes in this minute."""
    minute = int(store.clock()) // 60
    await store.connection.command("HINCRBY", keyspace.WRONG_CODES, str(minute), codes)
    await store.connection.command("EXPIRE", keyspace.WRONG_CODES, 86_400)


async def test_grant_and_user_code_outlive_expiry_by_a_minute_and_no_more(
    each_store: Store,
) -> None:
    issued = await each_store.issue(lifetime=100)
    assert await each_store.grants.find(issued.user_code) is not None
    for pattern in (keyspace.grant("*"), keyspace.user_code("*")):
        (key,) = await each_store.connection.command("KEYS", pattern)
        left = await each_store.connection.command("PTTL", key)
        assert 158_000 <= left <= 160_000


async def test_an_approval_of_a_part_of_the_scope(each_store: Store) -> None:
    """The part becomes the grant's scope, once: an approval that is sent again changes nothing."""
    grant = await each_store.grant()
    await each_store.grants.claim(grant, ADA.sub)
    assert await each_store.grants.decide(grant, Event.APPROVE, ADA, "openid") is Outcome.CHANGED
    assert (await each_store.read(grant)).scope == "openid"
    assert await each_store.grants.decide(grant, Event.APPROVE, ADA, "profile") is Outcome.CHANGED
    assert (await each_store.read(grant)).scope == "openid"


async def test_the_language_of_the_page_is_kept(each_store: Store) -> None:
    """That of the first approval: one that is sent again is no new one."""
    grant = await each_store.grant()
    assert grant.language == ""
    await each_store.grants.claim(grant, ADA.sub)
    for tag in ("zh-Hans", "de"):
        page = DecisionPage(language=tag)
        outcome = await each_store.grants.decide(grant, Event.APPROVE, ADA, page=page)
        assert outcome is Outcome.CHANGED
        assert (await each_store.read(grant)).language == "zh-Hans"


async def test_an_approval_of_an_older_version_says_no_language(each_store: Store) -> None:
    grant = await each_store.approved()
    key = keyspace.grant(each_store.grants.family_name(grant.id))
    assert b"language" not in await each_store.connection.command("HKEYS", key)
    assert grant.language == ""


@pytest.mark.parametrize("event", [Event.DENY, Event.CANCEL])
async def test_another_decision_leaves_the_scope(each_store: Store, event: Event) -> None:
    grant = await each_store.grant()
    await each_store.grants.claim(grant, ADA.sub)
    await each_store.grants.decide(grant, event, ADA, "openid")
    assert (await each_store.read(grant)).scope == grant.scope


async def test_a_claim_and_a_decision_in_one_step(each_store: Store) -> None:
    grant = await each_store.grant()
    decide = each_store.grants.claim_and_decide
    assert await decide(grant, Event.APPROVE, ADA, "openid") is Outcome.CHANGED
    approved = await each_store.read(grant)
    assert (approved.state, approved.claimed_by, approved.approval) == (
        State.APPROVED,
        ADA.sub,
        ADA,
    )
    assert approved.scope == "openid"
    assert await decide(grant, Event.APPROVE, ADA) is Outcome.CHANGED
    assert (await each_store.read(grant)).scope == "openid", "it was sent again"
    assert await decide(grant, Event.APPROVE, BOB) is Outcome.CLAIMED
    assert await decide(grant, Event.DENY, ADA) is Outcome.REFUSED
