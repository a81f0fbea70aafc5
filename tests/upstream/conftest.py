"""A provider on a socket, and clients of it."""

from collections.abc import AsyncIterator

import pytest

from tests.stage.clock import Clock
from tests.stage.provider import StageProvider, running_provider


@pytest.fixture
async def provider(clock: Clock) -> AsyncIterator[StageProvider]:
    async with running_provider(clock) as running:
        yield running
