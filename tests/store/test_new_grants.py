"""New grants: stored together, and each for itself."""

import asyncio
from unittest import mock

import pytest

from deviceflow.store import keyspace, scripts
from deviceflow.store.errors import StoreUnavailable
from deviceflow.store.new_grants import MOST_STORED_AT_ONCE, NewGrants
from tests.stage.store import Store

FIELDS = {"client": "tv-app", "scope": "profile"}


@pytest.fixture
def new(each_store: Store) -> NewGrants:
    return NewGrants(each_store.connection, each_store.installation)


async def test_grants_at_the_same_time_share_a_trip(each_store: Store, new: NewGrants) -> None:
    until = int(each_store.clock()) + 600
    with mock.patch.object(scripts, "create_grant", wraps=scripts.create_grant) as trips:
        stored = await asyncio.gather(
            *(new.store(n, f"CODE{n}", FIELDS, until) for n in range(MOST_STORED_AT_ONCE + 6))
        )
    assert all(stored)
    assert [len(call.args) - 1 for call in trips.call_args_list] == [MOST_STORED_AT_ONCE, 6]
    for pattern in (keyspace.grant("*"), keyspace.user_code("*")):
        assert len(await each_store.connection.command("KEYS", pattern)) == len(stored)


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


async def test_what_the_store_refuses_is_the_failure_of_its_grant(
    each_store: Store, new: NewGrants
) -> None:
    """On a Cluster, one shard may be away."""
    until = int(each_store.clock()) + 600
    answers = [1, StoreUnavailable("ConnectionError"), 1, 1]
    with mock.patch.object(each_store.connection.aside, "evaluate_each", return_value=answers):
        outcomes = await asyncio.gather(
            new.store(1, "FIRST", FIELDS, until),
            new.store(2, "SECOND", FIELDS, until),
            return_exceptions=True,
        )
    assert isinstance(outcomes[0], StoreUnavailable)
    assert outcomes[1] is True
