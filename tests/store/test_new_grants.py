"""New grants: stored together, and each for itself."""

import asyncio
from unittest import mock

import pytest

from deviceflow.store import keyspace
from deviceflow.store.new_grants import NewGrants
from deviceflow.store.trips import MOST_COMMANDS
from tests.stage.store import Store

FIELDS = {"client": "tv-app", "scope": "profile"}
COUNT = MOST_COMMANDS // 2 + 7


@pytest.fixture
def new(each_store: Store) -> NewGrants:
    return NewGrants(each_store.connection, each_store.installation)


async def test_grants_at_the_same_time_share_trips(each_store: Store, new: NewGrants) -> None:
    until = int(each_store.clock()) + 600
    shape = each_store.connection.shape
    # The first one has the scripts loaded.
    assert await new.store(0, "CODE0", FIELDS, until)
    with mock.patch.object(shape, "run", wraps=shape.run) as trips:
        stored = await asyncio.gather(
            *(new.store(n, f"CODE{n}", FIELDS, until) for n in range(1, COUNT))
        )
    assert all(stored)
    if shape.is_one_server:
        assert [len(call.args[0]) for call in trips.call_args_list] == [MOST_COMMANDS, 12]
    for pattern in (keyspace.grant("*"), keyspace.user_code("*")):
        assert len(await each_store.connection.command("KEYS", pattern)) == COUNT


async def test_a_code_or_an_id_that_is_taken_fails_for_its_grant_alone(
    each_store: Store, new: NewGrants
) -> None:
    until = int(each_store.clock()) + 600
    assert await new.store(1, "FIRST", FIELDS, until)
    stored = await asyncio.gather(
        new.store(2, "FIRST", FIELDS, until),
        new.store(1, "SECOND", FIELDS | {"client": "another"}, until),
        new.store(3, "THIRD", FIELDS, until),
    )
    assert [*stored] == [False, False, True]


async def test_what_fails_is_the_failure_of_its_grant(each_store: Store, new: NewGrants) -> None:
    """Text that is not UTF-8 cannot be sent. On a Cluster, one shard may be away."""
    until = int(each_store.clock()) + 600
    outcomes = await asyncio.gather(
        new.store(1, "FIRST", FIELDS | {"scope": "\udcff"}, until),
        new.store(2, "SECOND", FIELDS, until),
        return_exceptions=True,
    )
    assert isinstance(outcomes[0], UnicodeEncodeError)
    assert outcomes[1] is True
