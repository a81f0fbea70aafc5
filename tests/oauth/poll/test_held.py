"""Held polls (RFC 7240): a device that waits instead of polling again.

The same is expected of the lane, of the ordinary handler with the lane off, and of the ordinary
handler for a client that has to authenticate.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from unittest import mock

import msgspec
import pytest

from deviceflow.core.grant import Event, State
from deviceflow.core.holding import Hold
from deviceflow.oauth.poll.held import requested_wait
from deviceflow.store.clients import StoredClients
from deviceflow.store.connection import Connection
from deviceflow.store.errors import StoreUnavailable
from tests.oauth.poll.ways import PENDING, PREFER, WAYS, Way, assert_waited, decide, held
from tests.stage.oauth import Stage
from tests.stage.proving import claims_of
from tests.stage.served import (
    METADATA,
    Issued,
    Mint,
    Peer,
    Served,
    issue,
    serve,
)
from tests.stage.waiting import in_time, turns_until, until


@pytest.fixture(params=list(WAYS.values()), ids=list(WAYS))
def way(request: pytest.FixtureRequest) -> Way:
    found: Way = request.param
    return found


@pytest.fixture
async def served(stage: Stage, way: Way) -> AsyncIterator[Served]:
    async with serve(stage, lane=way.lane) as served:
        yield served


@pytest.fixture
async def issued(stage: Stage, way: Way) -> Issued:
    return await issue(stage.people.grants, stage.clock(), client_id=way.client_id)


@pytest.fixture
def code(stage: Stage, way: Way) -> bytes:
    """Of a grant that nobody will decide."""
    return Mint(stage).code(client_id=way.client_id)


# The decision


async def test_tokens_at_the_approval(
    stage: Stage, way: Way, served: Served, peer: Peer, issued: Issued
) -> None:
    await peer.send(way.poll(issued.code, PREFER % 20))
    await held(served)
    await decide(stage, issued, Event.APPROVE)
    answer = await peer.answer()
    assert answer.status == 200
    assert answer.json["token_type"] == "Bearer"
    assert_waited(answer, 20)
    assert len(served.apps.polls.held) == 0
    await peer.settle()
    again = (await peer.ask(way.poll(issued.code))).json
    assert said(again) == said(answer.json)


def said(body: dict[str, Any]) -> dict[str, Any]:
    """What an answer with tokens says; a signature is another one each time."""
    return body | {"access_token": claims_of(body["access_token"])}


@pytest.mark.parametrize("event", [Event.DENY, Event.CANCEL])
async def test_a_refusal(
    stage: Stage, way: Way, served: Served, peer: Peer, issued: Issued, event: Event
) -> None:
    await peer.send(way.poll(issued.code, PREFER % 20))
    await held(served)
    await decide(stage, issued, event)
    answer = await peer.answer()
    assert (answer.status, answer.error) == (400, "access_denied")
    assert_waited(answer, 20)


@pytest.mark.parametrize("wait", [20, 0], ids=["held", "plain"])
async def test_a_newer_poll_ends_an_older_hold(
    stage: Stage, way: Way, served: Served, peer: Peer, issued: Issued, wait: int
) -> None:
    """The tokens are for the connection on which the device listens now."""
    async with await served.connect() as second:
        await peer.send(way.poll(issued.code, PREFER % 20))
        await held(served)
        stage.clock.advance(10)
        await second.send(way.poll(issued.code, PREFER % wait))
        older = await in_time(peer.answer(), 1)
        assert older.error == PENDING
        assert_waited(older, 20)
        await held(served, 1 if wait else 0)
        if not wait:
            assert (await second.answer()).error == PENDING
            await second.settle()
        await decide(stage, issued, Event.APPROVE)
        if not wait:  # this worker hears of the approval a little later than the store does
            await served.knows(issued.grant_id, State.APPROVED)
            await second.send(way.poll(issued.code))
        assert (await second.answer()).status == 200


async def test_a_newer_poll_that_is_too_fast_ends_an_older_hold(
    way: Way, served: Served, peer: Peer, code: bytes
) -> None:
    async with await served.connect() as second:
        await peer.send(way.poll(code, PREFER % 20))
        await held(served)
        assert (await second.ask(way.poll(code, PREFER % 20))).error == "slow_down"
        assert (await in_time(peer.answer(), 1)).error == PENDING
        await held(served, 0)


async def test_a_newer_poll_that_meets_a_hint_ends_an_older_hold(
    stage: Stage, way: Way, served: Served, peer: Peer, issued: Issued
) -> None:
    """The store tells the newer poll that the grant is approved: the older one is out by then."""
    with (
        mock.patch("deviceflow.store.grants.Grants._announce"),
        mock.patch("deviceflow.store.feed.Feed._resolve_hints"),
    ):
        await peer.send(way.poll(issued.code, PREFER % 20))
        await held(served)
        await decide(stage, issued, Event.APPROVE)
        served.mirror.learn(issued.grant_id, None, issued.grant.expires_at)
        async with await served.connect() as second:
            assert (await second.ask(way.poll(issued.code))).status == 200
            assert (await in_time(peer.answer(), 1)).error == PENDING


async def test_a_newer_poll_takes_the_place_of_the_older_hold(stage: Stage, way: Way) -> None:
    """Where there is room for one, the newest poll of the grant has it."""
    code = Mint(stage).code(client_id=way.client_id)
    async with (
        serve(stage, lane=way.lane, device={"max_held": 1}) as served,
        await served.connect() as one,
        await served.connect() as two,
    ):
        await one.send(way.poll(code, PREFER % 20))
        await held(served)
        stage.clock.advance(10)
        await two.send(way.poll(code, PREFER % 20))
        assert (await in_time(one.answer(), 1)).error == PENDING
        await held(served, 1)


async def test_another_grant_does_not_end_a_hold(
    stage: Stage, way: Way, served: Served, peer: Peer
) -> None:
    mint = Mint(stage)
    async with await served.connect() as second:
        await peer.send(way.poll(mint.code(client_id=way.client_id), PREFER % 20))
        await held(served)
        other = mint.code(client_id=way.client_id)
        assert (await second.ask(way.poll(other))).error == PENDING
        await held(served, 1)


async def test_a_newer_poll_ends_an_older_hold_of_another_worker(
    stage: Stage, way: Way, served: Served, peer: Peer, issued: Issued
) -> None:
    """Of another host, too: here the two share nothing but the store."""
    async with serve(stage, lane=way.lane) as other, await other.connect() as second:
        await peer.send(way.poll(issued.code, PREFER % 20))
        await held(served)
        await until(lambda: served.apps.parts.holds._heard)
        await second.send(way.poll(issued.code, PREFER % 20))
        answer = await in_time(peer.answer(), 1)
        assert answer.error == PENDING
        assert_waited(answer, 20)
        await held(other)
        await decide(stage, issued, Event.APPROVE)
        assert (await second.answer()).status == 200


async def test_a_decision_of_which_no_message_came(
    stage: Stage, way: Way, served: Served, peer: Peer, issued: Issued
) -> None:
    """The log's hint is enough, within about a second."""
    await peer.send(way.poll(issued.code, PREFER % 20))
    await held(served)
    with mock.patch("deviceflow.store.grants.Grants._announce"):
        await decide(stage, issued, Event.APPROVE)
    answer = await in_time(peer.answer(), 1.5)
    assert answer.status == 200
    assert_waited(answer, 20)


async def test_a_hint_and_no_decision(
    stage: Stage, way: Way, served: Served, peer: Peer, issued: Issued
) -> None:
    """The store is asked, says "pending", and the poll stays held; a decision ends it."""
    await peer.send(way.poll(issued.code, PREFER % 20))
    await held(served)
    await stage.people.grants._hint(issued.grant)
    await turns_until(lambda: served.mirror.state_of(issued.grant_id) is None)
    assert len(served.apps.polls.held) == 1
    await decide(stage, issued, Event.DENY)
    assert (await peer.answer()).error == "access_denied"


async def test_a_decision_that_came_before_it_was_held(
    stage: Stage, served: Served, issued: Issued
) -> None:
    """Between the look at the mirror and the holding: it is not slept over."""
    await decide(stage, issued, Event.DENY)
    await served.knows(issued.grant_id, State.DENIED)
    opened = stage.people.grants._installation.codes.open(issued.code, _client_id(issued))
    assert opened is not None
    future = served.apps.polls.held.held_answer(object(), opened, Hold(20, is_asked=True))
    assert future is not None
    assert future.result() == "access_denied"
    assert len(served.apps.polls.held) == 0


def _client_id(issued: Issued) -> bytes:
    return issued.grant.client_id.encode()


async def test_the_store_away_at_the_approval(
    stage: Stage, way: Way, served: Served, peer: Peer, issued: Issued
) -> None:
    """Nothing is lost: pending now, tokens at the next poll."""
    await peer.send(way.poll(issued.code, PREFER % 5))
    await held(served)
    with mock.patch("deviceflow.store.grants.Grants.get", side_effect=_unavailable):
        await decide(stage, issued, Event.APPROVE)
        answer = await peer.answer()
    assert answer.error == PENDING
    await peer.settle()
    assert (await peer.ask(way.poll(issued.code))).status == 200


def _unavailable(*_: object) -> None:
    raise StoreUnavailable


# The client


async def test_a_client_that_is_disabled_meanwhile(
    stage: Stage, way: Way, served: Served, peer: Peer, issued: Issued
) -> None:
    """Section 3, 6749-5.2-a: who may not start a request any more does not end one either."""
    await peer.send(way.poll(issued.code, PREFER % 20))
    await held(served)
    await change(stage, served, way, enabled=False)
    await decide(stage, issued, Event.APPROVE)
    answer = await peer.answer()
    assert (answer.status, answer.error) == (401, "invalid_client")
    challenge = 'Basic realm="deviceflow"' if way.client_id == "console" else None
    assert answer.header("WWW-Authenticate") == challenge
    await change(stage, served, way, enabled=True)
    await peer.settle()
    assert (await peer.ask(way.poll(issued.code))).status == 200


async def test_a_client_that_is_changed_meanwhile(
    stage: Stage, way: Way, served: Served, peer: Peer, issued: Issued
) -> None:
    """Tokens are for the client as it is now: at the latest at the next poll."""
    await peer.send(way.poll(issued.code, PREFER % 20))
    await held(served)
    await change(stage, served, way, audience="https://api.example")
    await decide(stage, issued, Event.APPROVE)
    answer = await peer.answer()
    if answer.error == PENDING:
        await peer.settle()
        answer = await peer.ask(way.poll(issued.code))
    assert claims_of(answer.json["access_token"])["aud"] == "https://api.example"


async def test_a_scope_that_is_taken_away_meanwhile(
    stage: Stage, way: Way, served: Served, peer: Peer, issued: Issued
) -> None:
    """Section 3: what the client may not have any more is not issued, as at a refresh."""
    await change(stage, served, way, scopes=("email",))
    await peer.send(way.poll(issued.code, PREFER % 20))
    await held(served)
    await decide(stage, issued, Event.APPROVE)
    assert (await peer.answer()).error == "invalid_grant"


async def change(stage: Stage, served: Served, way: Way, **members: object) -> None:
    """What the operator does; returns when the worker has heard of it."""
    connection = Connection.open(stage.url)
    known = served.apps.polls.lane._clients
    before = known.find(way.client_id)
    assert before is not None
    client = msgspec.structs.replace(before, **members)
    await StoredClients(connection).put(client)
    await connection.close()
    await turns_until(lambda: known.find(way.client_id) == client)


# Time


async def test_the_seconds_are_over(way: Way, served: Served, peer: Peer, code: bytes) -> None:
    loop = asyncio.get_running_loop()
    before = loop.time()
    answer = await in_time(peer.ask(way.poll(code, PREFER % 1)), 1.5)
    assert loop.time() - before >= 0.99
    assert answer.error == PENDING
    assert_waited(answer, 1)
    assert len(served.apps.polls.held) == 0


async def test_the_cap(stage: Stage, way: Way, code: bytes) -> None:
    async with (
        serve(stage, lane=way.lane, device={"max_wait_s": 1}) as served,
        await served.connect() as peer,
    ):
        answer = await peer.ask(way.poll(code, PREFER % 99_999))
        assert answer.error == PENDING
        assert_waited(answer, 1)


async def test_no_held_polls_at_all(stage: Stage, way: Way, code: bytes) -> None:
    async with (
        serve(stage, lane=way.lane, device={"max_wait_s": 0}) as served,
        await served.connect() as peer,
    ):
        answer = await peer.ask(way.poll(code, PREFER % 5))
        assert answer.error == PENDING
        assert_waited(answer, None)


async def test_the_grant_ends(stage: Stage, way: Way, served: Served, peer: Peer) -> None:
    code = Mint(stage).code(client_id=way.client_id, lifetime=1)
    await peer.send(way.poll(code, PREFER % 20))
    await held(served)
    # The clock stands still; the loop's does not.
    stage.clock.advance(1)
    answer = await in_time(peer.answer(), 1.5)
    assert answer.error == "expired_token"
    assert_waited(answer, 20)


async def test_the_grant_ends_though_the_timer_fires_early(
    stage: Stage, way: Way, served: Served, peer: Peer
) -> None:
    """A timer knows only whole milliseconds: the clock may still lack a little."""
    code = Mint(stage).code(client_id=way.client_id, lifetime=1)
    await peer.send(way.poll(code, PREFER % 20))
    await held(served)
    stage.clock.advance(0.9995)
    assert (await in_time(peer.answer(), 1.5)).error == "expired_token"


async def test_the_pace_while_held(
    stage: Stage, way: Way, served: Served, peer: Peer, code: bytes
) -> None:
    """A held poll counts from when it was asked; too fast a one is not held."""
    answer = await peer.ask(way.poll(code, PREFER % 1))
    assert answer.error == PENDING
    stage.clock.advance(1)
    await peer.settle()
    answer = await peer.ask(way.poll(code, PREFER % 20))
    assert (answer.error, answer.json["interval"]) == ("slow_down", 10)
    assert_waited(answer, None)
    assert len(served.apps.polls.held) == 0


# Preferences


NOTHING_TO_GRANT = (
    (b"wait=0",),
    (b"wait=abc",),
    (b"wait",),
    (b"wait=",),
    (b"wait=-1",),
    (b"wait=1.5",),
    (b"wait=123456",),
    (b"wait=\xd9\xa3",),
    (b'wait="20',),
    (b"await=20",),
    (b"respond-async; wait=20",),
    (b"",),
    # The first of two counts, whatever it says.
    (b"wait=0", b"wait=20"),
    (b"wait=abc, wait=20",),
)
TWENTY = (
    (b"wait=20",),
    (b"WAIT = 20 ",),
    (b'wait="20"',),
    (b"wait=0020",),
    (b"wait=20; foo=bar",),
    (b"respond-async, wait=20",),
    (b"wait=20, wait=1",),
    (b"respond-async", b"wait=20", b"wait=0"),
)


def prefer(values: tuple[bytes, ...]) -> list[bytes]:
    return [b"Prefer: " + value for value in values]


async def test_nothing_that_can_be_granted(stage: Stage, way: Way, peer: Peer) -> None:
    """RFC 7240 2: a preference that is not understood is ignored."""
    mint = Mint(stage)
    for values in NOTHING_TO_GRANT:
        code = mint.code(client_id=way.client_id)
        answer = await peer.ask(way.poll(code, *prefer(values)))
        assert (values, answer.error) == (values, PENDING)
        assert_waited(answer, None)
        await peer.settle()


async def test_ways_to_ask(stage: Stage, way: Way, served: Served, peer: Peer) -> None:
    mint = Mint(stage)
    for values in TWENTY:
        grant_id = mint.new_id()
        code = mint.code(grant_id, client_id=way.client_id)
        await peer.send(way.poll(code, *prefer(values)))
        await held(served)
        served.mirror.learn(grant_id, State.DENIED, int(stage.clock()) + 600)
        answer = await peer.answer()
        assert answer.error == "access_denied"
        assert_waited(answer, 20)
        await peer.settle()


def test_asked_wait_of_no_header() -> None:
    assert requested_wait(()) is None


# Connections


async def test_a_device_that_hangs_up_frees_its_place(
    way: Way, served: Served, code: bytes
) -> None:
    peer = await served.connect()
    await peer.send(way.poll(code, PREFER % 20))
    await held(served)
    peer.close()
    await held(served, 0)
    await turns_until(lambda: peer.at_server.lost)
    # It might have ended its half only, and read on.
    assert PENDING.encode() in peer.at_server.said
    assert not served.mirror._watchers
    assert not served.apps.polls.held._ended
    assert not served.door.connections


async def test_no_room(stage: Stage, way: Way) -> None:
    mint = Mint(stage)
    async with (
        serve(stage, lane=way.lane, device={"max_held": 2}) as served,
        await served.connect() as one,
        await served.connect() as two,
        await served.connect() as three,
    ):
        for peer in (one, two):
            await peer.send(way.poll(mint.code(client_id=way.client_id), PREFER % 20))
        await held(served, 2)
        answer = await three.ask(way.poll(mint.code(client_id=way.client_id), PREFER % 20))
        assert answer.error == PENDING
        assert_waited(answer, None)
        # A place that is free again is given away again.
        one.close()
        await held(served, 1)
        await three.settle()
        await three.send(way.poll(mint.code(client_id=way.client_id), PREFER % 20))
        await held(served, 2)


async def test_what_is_sent_meanwhile_is_answered_after_it(
    stage: Stage, way: Way, served: Served, peer: Peer, issued: Issued, code: bytes
) -> None:
    await peer.send(way.poll(issued.code, PREFER % 20))
    await held(served)
    await peer.send(way.poll(code), METADATA, way.poll(b"A" * 43))
    assert peer.at_server.said == b""
    await decide(stage, issued, Event.APPROVE)
    answers = [await peer.answer() for _ in range(4)]
    assert [answer.error for answer in answers] == ["", PENDING, "", "invalid_grant"]
    assert "access_token" in answers[0].json
    assert "issuer" in answers[2].json
    for answer in answers[1:]:
        assert_waited(answer, None)


async def test_one_held_poll_after_the_other(
    stage: Stage, way: Way, served: Served, peer: Peer
) -> None:
    """Sent in one go; each is held in its turn."""
    grants = [
        await issue(stage.people.grants, stage.clock(), client_id=way.client_id) for _ in range(3)
    ]
    for grant in grants:
        await peer.send(way.poll(grant.code, PREFER % 20))
    await held(served)
    for grant in grants:
        await turns_until(lambda grant=grant: grant.grant_id in served.mirror._watchers)  # type: ignore[misc]
        assert len(served.apps.polls.held) == 1
        await decide(stage, grant, Event.APPROVE)
        answer = await peer.answer()
        assert "access_token" in answer.json
        assert_waited(answer, 20)


async def test_nothing_after_close(
    way: Way, served: Served, peer: Peer, code: bytes, stage: Stage
) -> None:
    """What is sent after a request that closes is never read (RFC 9112 9.6)."""
    other = Mint(stage)
    other._slot = 100
    await peer.send(way.poll(code, PREFER % 1, b"Connection: close"))
    await held(served)
    await peer.send(way.poll(other.code(client_id=way.client_id)))
    answer = await peer.answer()
    assert answer.header("Connection") == "close"
    assert_waited(answer, 1)
    assert await peer.rest() == b""
    assert peer.at_server.said.count(b"HTTP/1.1 ") == 1


async def test_two_thousand_without_a_task_each(stage: Stage) -> None:
    """Approved by another worker; each device gets its tokens or its refusal at once."""
    count = 2000
    way = WAYS["lane"]
    mint = Mint(stage)
    async with serve(stage, lane=True) as served:
        tasks = len(asyncio.all_tasks())
        peers = [await served.connect() for _ in range(count)]
        ids = [mint.new_id() for _ in range(count)]
        for peer, grant_id in zip(peers, ids, strict=True):
            await peer.send(way.poll(mint.code(grant_id), PREFER % 30))
        assert len(served.apps.polls.held) == count
        # One task announces them all. A few of the worker's own come and go.
        assert len(asyncio.all_tasks()) < tasks + count // 100
        assert served.made == 0
        for grant_id in ids:
            served.mirror.learn(grant_id, State.DENIED, int(stage.clock()) + 600)
        for peer in peers:
            answer = await peer.answer()
            assert answer.error == "access_denied"
            assert_waited(answer, 30)
            peer.close()
        assert len(served.apps.polls.held) == 0
        assert not served.mirror._watchers
