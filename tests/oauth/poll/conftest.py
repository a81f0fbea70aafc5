"""A worker behind its door, and a peer that speaks to it."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from tests.stage.oauth import Stage
from tests.stage.served import Mint, Peer, Served, serve
from tests.stage.slow import Slow


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
