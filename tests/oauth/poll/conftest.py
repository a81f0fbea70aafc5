"""A worker behind its door, on the loop that workers run on, and a peer that speaks to it."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import uvloop
from aiohttp import web

from tests.stage.oauth import Stage
from tests.stage.served import Mint, Peer, Served, serve
from tests.stage.slow import Slow


@pytest.fixture
def _asyncio_loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """The loop that workers run on."""
    return uvloop.new_event_loop


@pytest.fixture
def mint(stage: Stage) -> Mint:
    return Mint(stage)


@pytest.fixture
async def slow() -> Slow:
    return Slow()


@pytest.fixture
async def served(stage: Stage, slow: Slow) -> AsyncIterator[Served]:
    """A worker with one more endpoint, /slow."""
    async with serve(
        stage, routes=[web.get("/slow", slow.__call__), web.post("/slow", slow.__call__)]
    ) as served:
        yield served
        slow.release.set()


@pytest.fixture
async def peer(served: Served) -> AsyncIterator[Peer]:
    async with await served.connect() as peer:
        yield peer
