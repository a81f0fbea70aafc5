"""New grants: stored together, and each for itself."""

import asyncio
from unittest import mock

import pytest

from deviceflow.core.device_code import NONCE_BITS
from deviceflow.core.user_code import UserCodeFormat
from deviceflow.store import keyspace, scripts
from deviceflow.store.errors import StoreUnavailable
from deviceflow.store.new_grants import MOST_TOGETHER, DraftGrant, NewGrants, WantedGrant
from deviceflow.store.trips import MOST_COMMANDS
from tests.stage.store import Store
from tests.stage.waiting import turns_until

FIELDS = {"client": "tv-app", "scope": "profile"}
COUNT = MOST_COMMANDS // 2 + 7


@pytest.fixture
def new(each_store: Store) -> NewGrants:
    return NewGrants(each_store.connection, each_store.installation, each_store.slots)


def wanted(store: Store, **fields: str) -> WantedGrant:
    return WantedGrant(FIELDS | fields, UserCodeFormat(), 600, int(store.clock()) + 600)


async def test_grants_at_the_same_time_share_trips(each_store: Store, new: NewGrants) -> None:
    """The first one goes at once; the others gather meanwhile."""
    shape = each_store.connection.shape
    # It has the scripts loaded.
    await new.make(wanted(each_store))
    with mock.patch.object(shape, "run", wraps=shape.run) as trips:
        first = asyncio.create_task(new.make(wanted(each_store)))
        await turns_until(lambda: trips.call_count == 1)
        others = [asyncio.create_task(new.make(wanted(each_store))) for _ in range(COUNT - 2)]
        made = await asyncio.gather(first, *others)
    assert len({grant.grant_id for grant in made}) == COUNT - 1
    if shape.is_one_server:
        lengths = [len(call.args[0]) for call in trips.call_args_list]
        assert lengths == [1, 2, 1, MOST_COMMANDS, 1, 2 * (COUNT - 2 - MOST_TOGETHER)]
    for pattern in (keyspace.grant("*"), keyspace.user_code("*")):
        assert len(await each_store.connection.command("KEYS", pattern)) == COUNT


async def test_lifetimes_may_differ(each_store: Store, new: NewGrants) -> None:
    lifetimes = (600, 60, 600, 3600)
    now = int(each_store.clock())
    made = await asyncio.gather(
        *(new.make(WantedGrant(FIELDS, UserCodeFormat(), each, now + each)) for each in lifetimes)
    )
    assert [grant.expires_at - now for grant in made] == [*lifetimes]
    assert len({grant.grant_id >> NONCE_BITS for grant in made}) == len(lifetimes)


async def test_a_code_or_an_id_that_is_taken_fails_for_its_grant_alone(
    each_store: Store, new: NewGrants
) -> None:
    until = int(each_store.clock()) + 600
    assert await new.store_all([DraftGrant(1, "FIRST", FIELDS, until)]) == [True]
    stored = await new.store_all(
        [
            DraftGrant(2, "FIRST", FIELDS, until),
            DraftGrant(1, "SECOND", FIELDS | {"client": "another"}, until),
            DraftGrant(3, "THIRD", FIELDS, until),
        ]
    )
    assert stored == [False, False, True]


async def test_what_fails_is_the_failure_of_its_grant(each_store: Store, new: NewGrants) -> None:
    """Text that is not UTF-8 cannot be sent. On a Cluster, one shard may be away."""
    outcomes = await asyncio.gather(
        new.make(wanted(each_store, scope="\udcff")),
        new.make(wanted(each_store)),
        return_exceptions=True,
    )
    assert isinstance(outcomes[0], UnicodeEncodeError)
    assert isinstance(outcomes[1], DraftGrant)


async def test_without_a_store_all_of_them_hear_of_it(store: Store) -> None:
    new = NewGrants(store.connection, store.installation, store.slots)
    with mock.patch.object(scripts, "take_slots", side_effect=StoreUnavailable("away")):
        calls = (new.make(wanted(store)) for _ in range(3))
        failures = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(failure) for failure in failures] == [StoreUnavailable] * 3
    assert await new.make(wanted(store))
