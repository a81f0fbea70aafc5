"""A scripted server, a fake clock, and a client that uses both."""

from collections.abc import AsyncIterator

import pytest

from deviceflow.device import DeviceClient
from tests.stage.scripted import FakeTime, ScriptedServer, serve


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
async def server(time: FakeTime) -> AsyncIterator[ScriptedServer]:
    async with serve(time) as scripted:
        yield scripted


@pytest.fixture
async def client(server: ScriptedServer, time: FakeTime) -> AsyncIterator[DeviceClient]:
    async with DeviceClient(
        server.issuer, "tv-app", clock=time.clock, sleep=time.sleep, jitter=lambda: 0.0
    ) as made:
        yield made
