"""Polls and redemption (RFC 8628 3.4, 3.5): the table "The life of a grant", row by row.

Each row is tested with two workers: the one that made the grant, and another that has never seen
it and learns of its decision only from the push message.
"""

import asyncio
from collections import Counter
from typing import Any
from unittest import mock

import msgspec
import pytest

from deviceflow.core.grant import Event, Outcome, State
from deviceflow.core.messages import DEVICE_CODE_GRANT
from deviceflow.store.grant_records import Grant
from deviceflow.store.grants import Grants
from tests.stage.clock import Clock
from tests.stage.oauth import Answer, People, Stage, Worker
from tests.stage.proving import revoke

TOKEN = "/oauth2/token"
PENDING = (400, "authorization_pending")
SLOW_DOWN = (400, "slow_down")
DENIED = (400, "access_denied")
EXPIRED = (400, "expired_token")
INVALID = (400, "invalid_grant")


@pytest.fixture(params=["same worker", "another worker"])
async def polled(request: pytest.FixtureRequest, worker: Worker, other_worker: Worker) -> Worker:
    """Return the worker that is polled. The grant is made at `worker`."""
    return worker if request.param == "same worker" else other_worker


@pytest.fixture
async def grant(worker: Worker) -> Answer:
    """Start a grant of tv-app at `worker`."""
    return await worker.authorize()


# Row by row


async def test_pending_at_or_after_the_interval(
    polled: Worker, grant: Answer, clock: Clock
) -> None:
    """8628-3.5-a, 8628-3.2-b: the first poll, and polls at the interval, are in time."""
    for _ in range(5):
        answer = await polled.poll(grant.body["device_code"])
        assert answer.outcome == PENDING
        assert "interval" not in answer.body
        assert "Retry-After" not in answer.headers
        clock.advance(5)


async def test_too_fast_is_told_the_new_interval(
    polled: Worker, grant: Answer, clock: Clock
) -> None:
    """8628-3.5-b: fast, then at the interval, then at interval + 5."""
    code = grant.body["device_code"]
    assert (await polled.poll(code)).outcome == PENDING
    clock.advance(1)
    fast = await polled.poll(code)
    assert fast.outcome == SLOW_DOWN
    assert fast.body["interval"] == 10
    assert fast.headers["Retry-After"] == "10"
    clock.advance(5)
    again = await polled.poll(code)
    assert again.outcome == SLOW_DOWN
    clock.advance(again.body["interval"])
    assert (await polled.poll(code)).outcome == PENDING


async def test_the_pace_is_one_for_all_workers(
    worker: Worker, other_worker: Worker, grant: Answer
) -> None:
    """8628-3.5-b: whichever worker receives a poll."""
    code = grant.body["device_code"]
    assert (await worker.poll(code)).outcome == PENDING
    answer = await other_worker.poll(code)
    assert answer.outcome == SLOW_DOWN
    assert (await worker.poll(code)).body["interval"] > answer.body["interval"]


async def test_a_claim_leaves_the_grant_pending(
    polled: Worker, grant: Answer, people: People
) -> None:
    """OIDC-3.1.2.4-a: the entry of the code is not a decision."""
    await people.claim(grant.body["user_code"])
    assert (await polled.poll(grant.body["device_code"])).outcome == PENDING


async def test_approved_gives_tokens_whatever_the_pace(
    polled: Worker, grant: Answer, people: People
) -> None:
    """8628-3.5-d: an approved grant never gets slow_down."""
    code = grant.body["device_code"]
    assert [(await polled.poll(code)).error for _ in range(3)] == [
        "authorization_pending",
        "slow_down",
        "slow_down",
    ]
    await people.approve(grant.body["user_code"])
    answer = await polled.poll(code)
    assert answer.status == 200
    assert answer.body["token_type"] == "Bearer"
    assert answer.body["expires_in"] == 1800
    assert answer.body["access_token"].count(".") == 2


async def test_denied(polled: Worker, grant: Answer, people: People) -> None:
    """8628-3.5-c: for every poll, whatever the pace."""
    await people.deny(grant.body["user_code"])
    answers = [await polled.poll(grant.body["device_code"]) for _ in range(3)]
    assert [answer.outcome for answer in answers] == [DENIED] * 3


@pytest.mark.parametrize("approved_before", [False, True])
async def test_cancelled_by_the_operator(
    polled: Worker, grant: Answer, people: People, *, approved_before: bool
) -> None:
    if approved_before:
        await people.approve(grant.body["user_code"])
    assert await people.cancel(grant.body["user_code"]) is Outcome.CHANGED
    assert (await polled.poll(grant.body["device_code"])).outcome == DENIED


@pytest.mark.parametrize("decision", ["pending", "approved", "denied", "cancelled", "redeemed"])
async def test_past_expiry_whatever_the_state(
    polled: Worker, grant: Answer, people: People, clock: Clock, decision: str
) -> None:
    """8628-3.5-c: the clock outranks every state."""
    code, user_code = grant.body["device_code"], grant.body["user_code"]
    if decision in {"approved", "redeemed"}:
        await people.approve(user_code)
    if decision == "redeemed":
        assert (await polled.poll(code)).status == 200
    if decision == "denied":
        await people.deny(user_code)
    if decision == "cancelled":
        await people.cancel(user_code)
    clock.advance(grant.body["expires_in"])
    assert (await polled.poll(code)).outcome == EXPIRED


async def test_an_expired_code_is_known_for_ever(
    stage: Stage, polled: Worker, grant: Answer, clock: Clock
) -> None:
    """The store keeps no record of it: the code has the expiry."""
    clock.advance(10 * 365 * 86400)
    before = await stage.calls()
    assert (await polled.poll(grant.body["device_code"])).outcome == EXPIRED
    # Reading the statistics counts as one; the catch-up of three mirrors may fall in between.
    assert await stage.calls() - before < 10


async def end(stage: Stage, grant: Grant | None) -> None:
    """Make a grant expire a second ago by the store's clock, which tests cannot set."""
    assert grant is not None
    seconds, _ = await stage.redis.time()
    assert await stage.redis.hset(stage.people.grants._key(grant.id), "expires", seconds - 1) == 0


async def test_approved_but_expired_for_the_store(
    stage: Stage, worker: Worker, people: People
) -> None:
    """By the workers' clock, it is still live. The script refuses by the store's clock."""
    grant = await worker.authorize()
    found = await people.find(grant.body["user_code"])
    assert await people.approve(grant.body["user_code"]) is Outcome.CHANGED
    await end(stage, found)
    answer = await worker.poll(grant.body["device_code"])
    assert answer.outcome == EXPIRED


async def test_redeemed(
    polled: Worker, worker: Worker, other_worker: Worker, people: People, grant: Answer
) -> None:
    """8628-3.5-e: once the tokens are in use, a second redemption is invalid_grant everywhere."""
    code = grant.body["device_code"]
    await people.approve(grant.body["user_code"])
    answer = await polled.poll(code)
    assert answer.status == 200
    await revoke(polled, answer.body["access_token"])
    for each in (worker, other_worker, polled):
        assert (await each.poll(code)).outcome == INVALID


async def test_forged_truncated_and_foreign_codes(
    stage: Stage, polled: Worker, grant: Answer
) -> None:
    """6749-5.2-b: a code that this server did not issue never reaches the store."""
    code = grant.body["device_code"]
    last = "B" if code[-1] != "B" else "C"
    forged = [
        code[:-1],
        code + "A",
        code + "=",
        code[:-1] + last,
        code.swapcase(),
        ("A" if code[0] != "A" else "B") + code[1:],
        code[:20] + ("A" if code[20] != "A" else "B") + code[21:],
        code + "\x00",
        " " + code,
        code + "\n",
        "A" * 43,
        grant.body["user_code"],
        "é" * 43,
        "\ud7ff",
        "x" * 1500,
    ]
    before = await stage.calls()
    answers = [await polled.poll(wrong) for wrong in forged]
    assert [answer.outcome for answer in answers] == [INVALID] * len(forged)
    assert await stage.calls() - before < 20, "a forged code reached the store"
    assert (await polled.poll(code)).outcome == PENDING, "a forged code touched the real one's pace"


async def test_a_code_of_another_installation(stage: Stage, worker: Worker, grant: Answer) -> None:
    """A code of the right form, sealed with another server's key."""
    await stage.redis.flushall()
    stranger = await stage.start_worker()
    assert (await stranger.poll(grant.body["device_code"])).outcome == INVALID
    assert worker is not stranger


@pytest.mark.parametrize("decision", ["pending", "approved", "denied"])
async def test_the_code_of_another_client(
    polled: Worker, grant: Answer, people: People, decision: str
) -> None:
    """6749-5.2-b; section 3: a device code is bound to its client, decided or not."""
    if decision == "approved":
        await people.approve(grant.body["user_code"])
    if decision == "denied":
        await people.deny(grant.body["user_code"])
    code = grant.body["device_code"]
    assert (await polled.poll(code, "other-tv")).outcome == INVALID
    own = await polled.poll(code)
    expected = {"pending": PENDING, "approved": (200, ""), "denied": DENIED}
    assert own.outcome == expected[decision], "the stranger's poll changed something"


# Once


async def test_sixty_at_once_make_one_family(
    stage: Stage, worker: Worker, other_worker: Worker, people: People, grant: Answer
) -> None:
    """8628-3.5-e: redemption is one step. `test_repetition.py` has what they get."""
    await people.approve(grant.body["user_code"])
    code = grant.body["device_code"]
    polls = [each.poll(code) for _ in range(30) for each in (worker, other_worker)]
    outcomes = Counter(answer.outcome for answer in await asyncio.gather(*polls))
    assert outcomes == {(200, ""): 60}
    assert len(await stage.keys("df:f:*")) == 1


async def test_redeem_and_cancel_race(worker: Worker, people: People) -> None:
    """The first of the two wins, and the other is refused."""
    for _ in range(10):
        grant = await worker.authorize()
        await people.approve(grant.body["user_code"])
        found = await people.find(grant.body["user_code"])
        assert found is not None
        polled, cancelled = await asyncio.gather(
            worker.poll(grant.body["device_code"]), people.grants.decide(found, Event.CANCEL)
        )
        won = {(200, ""): Outcome.REFUSED, DENIED: Outcome.CHANGED}
        assert cancelled is won[polled.outcome]


async def test_a_cancellation_between_the_two_steps_of_a_redemption(
    worker: Worker, people: People, grant: Answer
) -> None:
    """The device learns that it was refused, and not that its code is wrong."""
    await people.approve(grant.body["user_code"])
    redeem = Grants.redeem

    async def redeem_later(self: Grants, *arguments: Any) -> Outcome:  # noqa: ANN401
        await people.cancel(grant.body["user_code"])
        return await redeem(self, *arguments)

    with mock.patch.object(Grants, "redeem", redeem_later):
        assert (await worker.poll(grant.body["device_code"])).outcome == DENIED


@pytest.mark.parametrize("final", ["denied", "cancelled", "redeemed"])
async def test_a_late_approval_revives_nothing(
    worker: Worker, people: People, grant: Answer, final: str
) -> None:
    """A denied, cancelled or redeemed grant does not change any more."""
    code, user_code = grant.body["device_code"], grant.body["user_code"]
    if final == "denied":
        await people.deny(user_code)
    if final == "cancelled":
        await people.cancel(user_code)
    if final == "redeemed":
        await people.approve(user_code)
        answer = await worker.poll(code)
        assert answer.status == 200
        await revoke(worker, answer.body["access_token"])
    assert await people.decide(user_code, Event.APPROVE, "ada") is Outcome.REFUSED
    expected = INVALID if final == "redeemed" else DENIED
    assert (await worker.poll(code)).outcome == expected


async def test_an_expired_grant_cannot_be_approved(
    stage: Stage, worker: Worker, people: People
) -> None:
    """Also if the page is still open, by the store's clock."""
    grant = await worker.authorize()
    found = await people.find(grant.body["user_code"])
    await people.claim(grant.body["user_code"])
    assert found is not None
    await end(stage, found)
    assert await people.grants.claim(found, "sub-ada") is Outcome.EXPIRED
    assert await people.grants.decide(found, Event.CANCEL) is Outcome.EXPIRED


async def test_what_another_account_has_claimed(
    worker: Worker, people: People, grant: Answer
) -> None:
    """A second account cannot approve or deny."""
    user_code = grant.body["user_code"]
    await people.claim(user_code, "ada")
    assert await people.claim(user_code, "bob") is Outcome.CLAIMED
    assert await people.decide(user_code, Event.APPROVE, "bob") is Outcome.CLAIMED
    assert await people.decide(user_code, Event.DENY, "bob") is Outcome.CLAIMED
    # The hints of refused decisions make workers read the store; the answer stays right.
    assert (await worker.poll(grant.body["device_code"])).outcome == PENDING
    assert (await worker.poll(grant.body["device_code"])).outcome == SLOW_DOWN


# The tokens are for the grant's scope and person


async def test_nothing_in_the_token_request_changes_the_grant(
    worker: Worker, people: People
) -> None:
    """Scope and person come from the grant alone; 8707-2.2-a: no resource is added."""
    grant = await worker.authorize(scope="openid")
    await people.approve(grant.body["user_code"])
    changed = {"scope": "openid email offline_access", "username": "bob", "sub": "sub-bob"}
    other = "https://other.example.com"
    refused = await worker.poll(grant.body["device_code"], resource=other, **changed)
    assert refused.outcome == (400, "invalid_target")
    answer = await worker.poll(grant.body["device_code"], **changed)
    assert answer.status == 200
    assert answer.body["scope"] == "openid"
    assert "refresh_token" not in answer.body


@pytest.mark.parametrize(
    ("client_id", "scope", "refreshes"),
    [
        ("tv-app", "openid offline_access", True),
        ("tv-app", "openid profile", False),
        ("always", "profile", True),
        ("never", "offline_access", False),
    ],
)
async def test_who_gets_a_refresh_token(
    stage: Stage, worker: Worker, client_id: str, scope: str, *, refreshes: bool
) -> None:
    """With offline_access, or by the client's setting. A family is only stored with a token."""
    grant = await worker.authorize(client_id, scope=scope)
    await stage.people.approve(grant.body["user_code"])
    answer = await worker.poll(grant.body["device_code"], client_id)
    assert answer.body["scope"] == scope
    assert ("refresh_token" in answer.body) is refreshes
    assert len(await stage.keys("df:f:*")) == refreshes


# The person, between approval and redemption


async def test_a_user_disabled_meanwhile(
    worker: Worker, people: People, grant: Answer, stage: Stage
) -> None:
    """No tokens and no family; when the person is enabled again, the device gets them."""
    code = grant.body["device_code"]
    await people.approve(grant.body["user_code"])
    account = await people.users.find("ada")
    assert account is not None
    await people.users.put(msgspec.structs.replace(account, disabled=True))
    assert (await worker.poll(code)).outcome == DENIED
    assert await stage.keys("df:f:*") == []
    await people.users.put(account)
    assert (await worker.poll(code)).status == 200


async def test_a_user_deleted_meanwhile(
    worker: Worker, people: People, grant: Answer, stage: Stage
) -> None:
    account = await people.users.find("ada")
    assert account is not None
    await people.users.put(msgspec.structs.replace(account, username="carl", sub="sub-carl"))
    await people.approve(grant.body["user_code"], "carl")
    await stage.redis.hdel("df:users", "carl")
    assert (await worker.poll(grant.body["device_code"])).outcome == DENIED


async def test_another_person_under_the_same_name(
    worker: Worker, people: People, grant: Answer
) -> None:
    """A new account with the same name is not the person that approved."""
    await people.approve(grant.body["user_code"])
    account = await people.users.find("ada")
    assert account is not None
    await people.users.put(msgspec.structs.replace(account, sub="sub-somebody-else"))
    assert (await worker.poll(grant.body["device_code"])).outcome == DENIED


async def test_a_client_disabled_meanwhile(stage: Stage, people: People, grant: Answer) -> None:
    """A worker that was started while the client was disabled."""
    await people.approve(grant.body["user_code"])
    clients = tuple(
        msgspec.structs.replace(client, enabled=client.client_id != "tv-app")
        for client in stage.settings.clients
    )
    changed = await stage.start_worker(msgspec.structs.replace(stage.settings, clients=clients))
    assert (await changed.poll(grant.body["device_code"])).outcome == (401, "invalid_client")


# The request


async def test_the_device_code_is_required(worker: Worker) -> None:
    """8628-3.4-a: left out or empty."""
    form = {"grant_type": DEVICE_CODE_GRANT, "client_id": "tv-app"}
    assert (await worker.post(TOKEN, form)).outcome == (400, "invalid_request")
    assert (await worker.poll("")).outcome == (400, "invalid_request")


# How a decision arrives


async def test_a_decision_whose_message_was_lost(
    stage: Stage, worker: Worker, people: People, grant: Answer
) -> None:
    """8628-3.5-d: the decision log, read once a second, delivers it."""
    await people.claim(grant.body["user_code"])
    found = await people.find(grant.body["user_code"])
    assert found is not None
    await stage.redis.client_kill_filter(_type="pubsub")
    await people.grants.decide(found, Event.DENY, await people.subject("ada"))
    await worker.knows(found.id, State.DENIED, None)
    assert (await worker.poll(grant.body["device_code"])).outcome == DENIED


async def test_a_worker_that_starts_after_the_decision(
    stage: Stage, people: People, grant: Answer
) -> None:
    """A restart loses no approval."""
    await people.approve(grant.body["user_code"])
    found = await people.find(grant.body["user_code"])
    assert found is not None
    fresh = await stage.start_worker()
    await fresh.knows(found.id, None)
    assert (await fresh.poll(grant.body["device_code"])).status == 200


@pytest.mark.parametrize(("lost", "outcome"), [("the approval", PENDING), ("the grant", EXPIRED)])
async def test_an_approval_that_is_gone_at_the_redemption(
    stage: Stage, worker: Worker, people: People, grant: Answer, lost: str, outcome: tuple[int, str]
) -> None:
    """The primary changes after the grant was read; the new one lacks the newest writes.

    A code that is called wrong would end the device's wait, and its person could not press again.
    """
    await people.approve(grant.body["user_code"])
    found = await people.find(grant.body["user_code"])
    assert found is not None
    key = people.grants._key(found.id)
    redeem = Grants.redeem

    async def redeem_later(self: Grants, *arguments: Any) -> Outcome:  # noqa: ANN401
        if lost == "the grant":
            await stage.redis.delete(key)
        else:
            await stage.redis.hset(key, "state", "pending")
            await stage.redis.hdel(key, "approve", "approval")
        return await redeem(self, *arguments)

    with mock.patch.object(Grants, "redeem", redeem_later):
        assert (await worker.poll(grant.body["device_code"])).outcome == outcome
    if lost == "the approval":
        await people.approve(grant.body["user_code"])
        assert (await worker.poll(grant.body["device_code"])).status == 200
