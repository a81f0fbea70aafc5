"""A store with everything that opens on it, and a device that has asked for a grant.

`store`       on the real server
`each_store`  the same twice: on fakeredis and on the real server
`another`     makes one more worker's view of the real server
`users`       the users of `tests/stage/users.py`, on `each_store`
`own`         on a server of the test's own, `own_valkey`, which it may stop

Every test here is followed by a look at the commands, scripts and pipelines that it made: the
keys of each must be in one hash slot.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack

import pytest
from fakeredis import FakeAsyncRedis

from deviceflow.store.connection import Connection
from deviceflow.store.installation import Installation
from deviceflow.store.shapes.server import ServerShape
from deviceflow.store.users import Users
from tests.stage.clock import Clock
from tests.stage.hash_slots import mixed_slots
from tests.stage.store import Store
from tests.stage.users import FILE_USERS
from tests.stage.valkey import Valkey, empty, open_connection, staged


@pytest.fixture(autouse=True)
def mixed_calls() -> Iterator[list[list[bytes]]]:
    """The keys of each call that mixes slots; a test that makes one on purpose clears it."""
    with mixed_slots() as mixed:
        yield mixed
    assert mixed == []


@pytest.fixture
async def store(connection: Connection, installation: Installation, clock: Clock) -> Store:
    return Store(connection, installation, clock)


@pytest.fixture(params=["fakeredis", "valkey"])
async def each_store(
    request: pytest.FixtureRequest, valkey: Valkey, clock: Clock
) -> AsyncIterator[Store]:
    fake = request.param == "fakeredis"
    if fake:
        connection = Connection(ServerShape(FakeAsyncRedis()))
        await connection.command("FLUSHALL")
    else:
        empty(valkey)
        connection = open_connection(valkey.url)
    yield Store(connection, await Installation.open(connection), clock)
    await connection.close()


@pytest.fixture
def users(each_store: Store) -> Iterator[Users]:
    users = Users(each_store.connection, FILE_USERS)
    yield users
    users.close()


@pytest.fixture
async def another(valkey: Valkey, clock: Clock) -> AsyncIterator[Callable[[], Awaitable[Store]]]:
    """Another worker, with connections and a mirror of its own."""
    async with AsyncExitStack() as opened:

        async def make() -> Store:
            connection = open_connection(valkey.url)
            opened.push_async_callback(connection.close)
            return Store(connection, await Installation.open(connection), clock)

        yield make


@pytest.fixture
def own_valkey(start_store: Callable[..., Valkey]) -> Valkey:
    return start_store()


@pytest.fixture
async def own(own_valkey: Valkey, clock: Clock) -> AsyncIterator[Store]:
    connection = staged(Connection.open(own_valkey.url), own_valkey.url)
    yield Store(connection, await Installation.open(connection), clock)
    await connection.close()
