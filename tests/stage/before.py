"""What may have happened on a connection before a test begins, and how time passes for it."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from deviceflow.oauth.poll.door import REQUEST_TIMEOUT_S
from tests.stage.served import METADATA, Mint, Peer, Served, poll

SWEEP_S = REQUEST_TIMEOUT_S / 2
KEEPALIVE_S = 75


SLOW = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"


async def errors(peer: Peer, count: int) -> list[str]:
    """The next answers, in order, by their error codes."""
    return [(await peer.answer()).error for _ in range(count)]


async def sweeps(served: Served, seconds: float) -> None:
    """Let so much time pass for the door."""
    for _ in range(int(seconds / SWEEP_S)):
        served.door.sweep(SWEEP_S)
        await asyncio.sleep(0)


Prepare = Callable[[Peer, Mint], Awaitable[None]]


async def nothing(peer: Peer, _: Mint) -> None:
    await peer.send()


async def a_poll(peer: Peer, mint: Mint) -> None:
    await peer.ask(poll(mint.code()))


async def an_ordinary_request(peer: Peer, _: Mint) -> None:
    await peer.ask(METADATA)
    await peer.settle()


async def an_uncounted_request(peer: Peer, _: Mint) -> None:
    await peer.ask(METADATA[:20], METADATA[20:])
    await peer.settle()


async def a_pipeline(peer: Peer, mint: Mint) -> None:
    await peer.send(METADATA + poll(mint.code()))
    await errors(peer, 2)
    await peer.settle()


REQUESTS = [a_poll, an_ordinary_request, an_uncounted_request, a_pipeline]
BEFORE = pytest.mark.parametrize("before", [nothing, *REQUESTS])
AFTER_A_REQUEST = pytest.mark.parametrize("before", REQUESTS)
