"""What several tests of clients need."""

from collections.abc import AsyncIterator

import pytest

from deviceflow.store.clients import StoredClients
from deviceflow.store.connection import Connection
from tests.stage.oauth import Stage, Worker
from tests.stage.proving import with_certificates


@pytest.fixture
async def stored(stage: Stage) -> AsyncIterator[StoredClients]:
    """The operator's way to the clients."""
    connection = Connection.open(stage.url)
    yield StoredClients(connection)
    await connection.close()


@pytest.fixture
async def behind_proxy(stage: Stage) -> Worker:
    """A worker that believes what its peer says of the caller."""
    return await stage.start_worker(with_certificates(stage.settings))
