"""The door: when it gives a connection up, and what it still answers at the end."""

import asyncio
from collections.abc import Callable

import pytest
from aiohttp import web

from tests.stage.before import (
    AFTER_A_REQUEST,
    BEFORE,
    KEEPALIVE_S,
    SLOW,
    SWEEP_S,
    Prepare,
    sweeps,
)
from tests.stage.oauth import Stage
from tests.stage.served import (
    FORM,
    METADATA,
    Mint,
    Peer,
    Served,
    poll,
    post,
    serve,
)
from tests.stage.slow import Slow
from tests.stage.waiting import turns_until

AUTHORIZE = b"/oauth2/device_authorization"
FORM_BODY = b"client_id=tv-app&scope=profile"
PENDING = "authorization_pending"


@AFTER_A_REQUEST
async def test_idle_connections_are_closed(
    served: Served, peer: Peer, mint: Mint, before: Prepare
) -> None:
    await before(peer, mint)
    await sweeps(served, KEEPALIVE_S)
    at_the_limit = peer.at_server.is_closing
    served.door.sweep(SWEEP_S)
    assert (at_the_limit, peer.at_server.is_closing) == (False, True)
    assert await peer.rest() == b""


@BEFORE
async def test_busy_connections_stay(
    served: Served, peer: Peer, mint: Mint, before: Prepare
) -> None:
    await before(peer, mint)
    for _ in range(8):
        await sweeps(served, KEEPALIVE_S)
        assert (await peer.ask(poll(mint.code()))).error == PENDING
        await peer.settle()


def _half(request: bytes) -> bytes:
    return request[: len(request) // 2]


HALVES: dict[str, Callable[[Mint], bytes]] = {
    "half a head": lambda _: _half(METADATA),
    "half a poll's body": lambda mint: poll(mint.code())[:-20],
    "half an ordinary body": lambda _: post(AUTHORIZE, FORM_BODY)[:-4],
    "half an unread body": lambda _: post(b"/slow", FORM_BODY)[:-4],
    "half a chunk": lambda _: (
        b"POST %b HTTP/1.1\r\nHost: x\r\n%b\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"
        % (AUTHORIZE, FORM)
    ),
}


@BEFORE
@pytest.mark.parametrize("half", HALVES.values(), ids=HALVES)
async def test_unfinished_requests_are_given_up(
    served: Served, peer: Peer, mint: Mint, before: Prepare, half: Callable[[Mint], bytes]
) -> None:
    """However often another byte comes."""
    await before(peer, mint)
    said = peer.at_server.said
    await peer.send(half(mint))
    for _ in range(2):
        await peer.settle()
        served.door.sweep(SWEEP_S)
        assert not peer.at_server.is_closing
        await peer.send(b"a")
    await peer.settle()
    served.door.sweep(SWEEP_S)
    await turns_until(lambda: peer.at_server.lost)
    assert peer.at_server.said == said


async def test_a_slow_handler_is_no_unfinished_request(
    served: Served, peer: Peer, slow: Slow
) -> None:
    await peer.send(SLOW)
    await slow.started.wait()
    await sweeps(served, 10 * KEEPALIVE_S)
    slow.release.set()
    assert (await peer.answer()).error == "slow"
    await peer.settle()
    # Time begins anew with the answer.
    await sweeps(served, KEEPALIVE_S - 2 * SWEEP_S)
    assert not peer.at_server.is_closing


@pytest.mark.parametrize("lane", [True, False])
async def test_a_held_poll_is_no_unfinished_request(
    stage: Stage, mint: Mint, *, lane: bool
) -> None:
    async with serve(stage, lane=lane) as served, await served.connect() as peer:
        await peer.send(poll(mint.code(), b"Prefer: wait=30"))
        await turns_until(lambda: len(served.apps.polls.held) == 1)
        await sweeps(served, 10 * KEEPALIVE_S)
        assert not peer.at_server.is_closing
        served.apps.polls.held.drop_all()
        assert (await peer.answer()).error == PENDING
        await peer.settle()
        await sweeps(served, KEEPALIVE_S - 2 * SWEEP_S)
        assert not peer.at_server.is_closing


async def test_at_the_end_held_polls_are_answered(stage: Stage, mint: Mint) -> None:
    async with serve(stage) as served:
        peers = [await served.connect() for _ in range(3)]
        await peers[0].send(poll(mint.code(), b"Prefer: wait=30"))
        await peers[1].ask(METADATA)
        await peers[1].settle()
        await peers[1].send(poll(mint.code(), b"Prefer: wait=30"))
        # This one is held by the ordinary handler.
        await peers[2].send(poll(mint.code(), b"Prefer: wait=30, foo"))
        await turns_until(lambda: len(served.apps.polls.held) == 3)
    for peer in peers:
        answer = await peer.answer()
        assert answer.error == PENDING
        assert await peer.rest() == b""
        peer.close()


async def test_at_the_end_requests_in_flight_are_answered(
    stage: Stage, mint: Mint, slow: Slow
) -> None:
    async with serve(stage, routes=[web.get("/slow", slow.__call__)]) as served:
        peer, idle, half = [await served.connect() for _ in range(3)]
        await peer.send(SLOW)
        await slow.started.wait()
        await idle.send()
        await half.send(poll(mint.code())[:-9])
        asyncio.get_running_loop().call_later(0.2, slow.release.set)
    assert (await peer.answer()).error == "slow"
    for connection in (peer, idle, half):
        assert await connection.rest() == b""
        connection.close()


async def test_at_the_end_nothing_more_is_held(stage: Stage, mint: Mint) -> None:
    async with serve(stage) as served, await served.connect() as peer:
        served.apps.polls.held.drop_all()
        answer = await peer.ask(poll(mint.code(), b"Prefer: wait=30"))
        assert answer.error == PENDING
        assert answer.header("Preference-Applied") is None
