"""Polls that are held though their devices did not ask: a slow answer, and never an error.

As in `test_held.py`, the same is expected of the lane and of the ordinary handler.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from unittest import mock

import msgspec
import pytest

from deviceflow.core.grant import Event
from deviceflow.oauth.poll.held import HeldPolls
from deviceflow.store.clients import StoredClients
from deviceflow.store.connection import Connection
from tests.oauth.poll.ways import PENDING, PREFER, WAYS, Way, assert_waited, decide, held
from tests.stage.oauth import Stage
from tests.stage.served import Mint, Peer, Served, issue, serve
from tests.stage.waiting import turns_until

HOLD_S = 10
INTERVAL_S = 5


@pytest.fixture(params=list(WAYS.values()), ids=list(WAYS))
def way(request: pytest.FixtureRequest) -> Way:
    found: Way = request.param
    return found


@pytest.fixture
async def served(stage: Stage, way: Way) -> AsyncIterator[Served]:
    async with serve(stage, lane=way.lane, device={"hold_s": HOLD_S}) as served:
        yield served


@pytest.fixture
def code(stage: Stage, way: Way) -> bytes:
    """Of a grant that nobody will decide."""
    return Mint(stage).code(client_id=way.client_id)


def polls_of(served: Served) -> HeldPolls:
    return served.apps.polls.held


def end_of_time(served: Served) -> None:
    """Let the timers of all held polls fire now."""
    for each in list(polls_of(served).by_grant.values()):
        each.time_is_up()


async def slow_answer(served: Served, peer: Peer, request: bytes) -> None:
    """Poll, and have the whole hold pass."""
    await peer.send(request)
    await held(served)
    end_of_time(served)
    answer = await peer.answer()
    assert (answer.status, answer.error) == (400, PENDING)
    assert_waited(answer, None)
    await peer.settle()


async def test_tokens_at_the_approval(stage: Stage, way: Way, served: Served, peer: Peer) -> None:
    issued = await issue(stage.people.grants, stage.clock(), client_id=way.client_id)
    await peer.send(way.poll(issued.code))
    await held(served)
    await decide(stage, issued, Event.APPROVE)
    answer = await peer.answer()
    assert answer.status == 200
    assert_waited(answer, None)
    await held(served, 0)


async def test_a_denial(stage: Stage, way: Way, served: Served, peer: Peer) -> None:
    issued = await issue(stage.people.grants, stage.clock(), client_id=way.client_id)
    await peer.send(way.poll(issued.code))
    await held(served)
    await decide(stage, issued, Event.DENY)
    answer = await peer.answer()
    assert (answer.status, answer.error) == (400, "access_denied")


async def test_the_end_of_the_code(stage: Stage, way: Way, served: Served, peer: Peer) -> None:
    await peer.send(way.poll(Mint(stage).code(client_id=way.client_id, lifetime=1)))
    await held(served)
    stage.clock.advance(1)
    end_of_time(served)
    assert (await peer.answer()).error == "expired_token"


async def test_a_poll_that_is_too_fast_is_not_held(
    stage: Stage, way: Way, served: Served, peer: Peer, code: bytes
) -> None:
    await slow_answer(served, peer, way.poll(code))
    stage.clock.advance(1)
    answer = await peer.ask(way.poll(code))
    assert (answer.error, answer.json["interval"]) == ("slow_down", 10)
    await held(served, 0)


async def test_a_hold_has_whole_intervals_of_those_in_force(stage: Stage, way: Way) -> None:
    """Not of the first interval: a device that polls on a beat has a longer one by now."""
    code = Mint(stage).code(client_id=way.client_id)
    device = {"hold_s": 25}
    async with (
        serve(stage, lane=way.lane, device=device) as served,
        await served.connect() as peer,
    ):
        await slow_answer(served, peer, way.poll(code))
        stage.clock.advance(1)
        assert (await peer.ask(way.poll(code))).json["interval"] == 10
        stage.clock.advance(10)
        loop = asyncio.get_running_loop()
        before = loop.time()
        await peer.send(way.poll(code))
        await held(served)
        (poll,) = polls_of(served).by_grant.values()
        assert poll.timer.when() - before > 19
        assert poll.timer.when() - loop.time() < 21


@pytest.mark.parametrize(
    "pauses",
    [(HOLD_S, HOLD_S, HOLD_S), (HOLD_S + INTERVAL_S,) * 3, (INTERVAL_S,) * 3],
    ids=["from its request", "from the answer", "holds shorter than the interval"],
)
async def test_no_obedient_device_is_told_to_slow_down(
    stage: Stage, way: Way, served: Served, peer: Peer, code: bytes, pauses: tuple[int, ...]
) -> None:
    """Some devices count the interval from their request, others from the answer."""
    await slow_answer(served, peer, way.poll(code))
    for pause in pauses:
        stage.clock.advance(pause)
        await slow_answer(served, peer, way.poll(code))


async def test_what_a_device_asks_for_counts(
    stage: Stage, way: Way, served: Served, peer: Peer
) -> None:
    mint = Mint(stage)
    answer = await peer.ask(way.poll(mint.code(client_id=way.client_id), PREFER % 0))
    assert answer.error == PENDING
    assert_waited(answer, None)
    await peer.settle()
    await peer.send(way.poll(mint.code(client_id=way.client_id), PREFER % 20))
    await held(served)
    end_of_time(served)
    assert_waited(await peer.answer(), 20)


async def test_a_client_may_have_a_hold_of_its_own(stage: Stage, way: Way) -> None:
    """It holds from the next poll on, of a shape that the lane knows, too."""
    mint = Mint(stage)
    async with serve(stage, lane=way.lane) as served, await served.connect() as peer:

        async def poll() -> None:
            await peer.send(way.poll(mint.code(client_id=way.client_id)))

        await poll()
        assert (await peer.answer()).error == PENDING
        await set_hold(stage, served, way, HOLD_S)
        await peer.settle()
        await poll()
        await held(served)
        end_of_time(served)
        await peer.answer()
        await set_hold(stage, served, way, 0)
        await peer.settle()
        await poll()
        assert (await peer.answer()).error == PENDING
        assert len(polls_of(served)) == 0


async def set_hold(stage: Stage, served: Served, way: Way, hold_s: int) -> None:
    """Do what the operator does; return when the worker has heard of it."""
    connection = Connection.open(stage.url)
    known = served.apps.parts.clients
    before = known.find(way.client_id)
    assert before is not None
    client = msgspec.structs.replace(before, hold_s=hold_s)
    await StoredClients(connection).put(client)
    await connection.close()
    await turns_until(lambda: known.find(way.client_id) == client)


# Devices that do not wait


async def test_a_device_that_hangs_up_is_held_no_more(
    stage: Stage, way: Way, served: Served, peer: Peer, code: bytes
) -> None:
    """A device that gives up slow answers must see one."""
    impatient = await served.connect()
    await impatient.send(way.poll(code))
    await held(served)
    impatient.close()
    await held(served, 0)
    stage.clock.advance(INTERVAL_S)
    assert (await peer.ask(way.poll(code))).error == PENDING
    await peer.settle()
    stage.clock.advance(INTERVAL_S)
    await peer.send(way.poll(code, PREFER % 20))
    await held(served)


async def test_a_device_that_polls_anew_is_held_no_more(
    stage: Stage, way: Way, served: Served, peer: Peer, code: bytes
) -> None:
    async with await served.connect() as second:
        await peer.send(way.poll(code))
        await held(served)
        stage.clock.advance(INTERVAL_S)
        assert (await second.ask(way.poll(code))).error == PENDING
        assert (await peer.answer()).error == PENDING
        assert len(polls_of(served)) == 0


async def test_of_devices_that_do_not_wait_only_so_many_are_remembered(
    stage: Stage, way: Way, served: Served
) -> None:
    mint = Mint(stage)
    with mock.patch("deviceflow.oauth.poll.held.MAX_GIVEN_UP", 2):
        for _ in range(3):
            peer = await served.connect()
            await peer.send(way.poll(mint.code(client_id=way.client_id)))
            await held(served)
            peer.close()
            await held(served, 0)
    assert len(polls_of(served)._given_up) == 2


# Places


async def test_some_places_are_for_devices_that_ask(stage: Stage, way: Way) -> None:
    mint = Mint(stage)
    device = {"hold_s": HOLD_S, "max_held": 4}
    async with serve(stage, lane=way.lane, device=device) as served:
        peers = [await served.connect() for _ in range(5)]
        for peer in peers[:3]:
            await peer.send(way.poll(mint.code(client_id=way.client_id)))
        await held(served, 3)
        answer = await peers[3].ask(way.poll(mint.code(client_id=way.client_id)))
        assert answer.error == PENDING
        await peers[4].send(way.poll(mint.code(client_id=way.client_id), PREFER % 20))
        await held(served, 4)
        for peer in peers:
            peer.close()
        await held(served, 0)


async def test_other_workers_do_not_hear_of_it(
    way: Way, served: Served, peer: Peer, code: bytes
) -> None:
    """A fleet of devices that do not ask costs the store nothing."""
    with mock.patch.object(polls_of(served), "_announce") as announce:
        await slow_answer(served, peer, way.poll(code))
    announce.assert_not_called()


# The end of a worker, and figures


async def test_a_worker_that_ends_answers(
    way: Way, served: Served, peer: Peer, code: bytes
) -> None:
    await peer.send(way.poll(code))
    await held(served)
    polls_of(served).drop_all()
    assert (await peer.answer()).error == PENDING
    assert not polls_of(served)._given_up


async def test_ends_are_counted(stage: Stage, served: Served, way: Way) -> None:
    mint = Mint(stage)
    ends: Counter[tuple[str, str]] = Counter()
    polls_of(served).on_end = lambda *labels: ends.update([labels])
    issued = await issue(stage.people.grants, stage.clock(), client_id=way.client_id)
    async with await served.connect() as peer:
        await slow_answer(served, peer, way.poll(mint.code(client_id=way.client_id)))
        await peer.send(way.poll(issued.code))
        await held(served)
        await decide(stage, issued, Event.DENY)
        await peer.answer()
        await peer.settle()
        await peer.send(way.poll(mint.code(client_id=way.client_id), PREFER % 20))
        await held(served)
    await held(served, 0)
    assert ends == {("server", "time"): 1, ("server", "decision"): 1, ("device", "gone"): 1}
