"""Commands whose answer is lost: redis-py repeats them, and nothing happens twice.

Catalogue, section 5: a script recognises its own earlier success, and nobody else's.
"""

from collections.abc import AsyncIterator

import pytest

from deviceflow.core.grant import Event, Outcome, State
from deviceflow.store import keyspace, scripts
from deviceflow.store.connection import Connection
from deviceflow.store.errors import StoreUnavailable
from deviceflow.store.installation import Installation
from tests.stage.clock import Clock
from tests.stage.lossy import LossyPath, lossy_path
from tests.stage.store import ADA, Store
from tests.stage.valkey import Valkey


@pytest.fixture
async def path(valkey: Valkey) -> AsyncIterator[LossyPath]:
    async with lossy_path(valkey.socket_path) as path:
        yield path


@pytest.fixture
async def far(store: Store, path: LossyPath, clock: Clock) -> AsyncIterator[Store]:
    """A store at the other end of the lossy path; the scripts are loaded already."""
    await store.family()
    for kind in (keyspace.grant, keyspace.user_code, keyspace.family):
        for key in await store.connection.command("KEYS", kind("*")):
            await store.connection.command("DEL", key)
    connection = Connection.open(path.url)
    yield Store(connection, await Installation.open(connection), clock)
    await connection.close()


@pytest.mark.parametrize("step", [b"PXAT", b"NebulaTV"])
async def test_a_new_grant_is_made_once(far: Store, path: LossyPath, step: bytes) -> None:
    """The user code and the grant are two scripts: each sees its own success."""
    path.lose_answers(step)
    issued = await far.issue()
    assert path.lost == 1
    assert await far.grants.find(issued.user_code) is not None
    for pattern in (keyspace.grant("*"), keyspace.user_code("*")):
        assert len(await far.connection.command("KEYS", pattern)) == 1


@pytest.mark.parametrize("step", [b"PXAT", b"NebulaTV"])
async def test_a_grant_that_is_made_halfway_is_no_grant(
    far: Store, path: LossyPath, step: bytes
) -> None:
    """What is left has a TTL, and a device has no code that leads to it."""
    path.lose_answers(step, times=3)
    with pytest.raises(StoreUnavailable):
        await far.issue()
    (key,) = await far.connection.command("KEYS", keyspace.user_code("*"))
    assert await far.connection.command("TTL", key) > 0
    grants = await far.connection.command("KEYS", keyspace.grant("*"))
    assert len(grants) == 1
    assert await far.issue()


async def test_claim_and_approval_succeed_once(far: Store, path: LossyPath) -> None:
    grant = await far.grant()
    path.lose_answers(b"EVALSHA")
    assert await far.grants.claim(grant, ADA.sub) is Outcome.CHANGED
    path.lose_answers(b"EVALSHA")
    assert await far.grants.decide(grant, Event.APPROVE, ADA) is Outcome.CHANGED
    assert path.lost == 2
    assert await far.grants.decide(grant, Event.DENY, ADA) is Outcome.REFUSED


@pytest.mark.parametrize("losses", [1, 2])
async def test_a_redemption_sees_its_own_success(far: Store, path: LossyPath, losses: int) -> None:
    grant = await far.approved()
    token, redemption = far.redemption(grant)
    path.lose_answers(b"EVALSHA", losses)
    assert await far.grants.redeem(grant, redemption) is Outcome.CHANGED
    assert path.lost == losses
    _, second = far.redemption(grant)
    assert await far.grants.redeem(grant, second) is Outcome.REFUSED
    found = await far.families.find(token)
    assert found is not None
    assert (found.is_good, found.family) == (True, redemption.family)


async def test_when_no_answer_ever_comes_nothing_is_acknowledged(
    far: Store, path: LossyPath, store: Store
) -> None:
    grant = await far.approved()
    path.lose_answers(b"EVALSHA", times=3)
    with pytest.raises(StoreUnavailable):
        await far.grants.redeem(grant, None)
    assert await store.grants.state_of(grant.id) is State.REDEEMED
    await store.feed.catch_up()
    assert store.mirror.state_of(grant.id) is None, "the hint makes workers ask"


async def test_a_rotation_sees_its_own_success(far: Store, path: LossyPath) -> None:
    token, family = await far.family()
    for lost in (1, 2):
        path.lose_answers(b"EVALSHA")
        successor = await far.families.rotate(token, family)
        assert path.lost == lost
        assert successor is not None
        token = successor
    assert await far.families.rotate(token, family) is not None


async def test_a_lost_answer_to_a_slot_number_skips_numbers_and_repeats_none(
    far: Store, path: LossyPath
) -> None:
    await far.slots.take(600)
    path.lose_answers(b"EVALSHA")
    slots = [(await far.slots.take(600)).number for _ in range(40)]
    assert path.lost == 1
    assert len(set(slots)) == 40


async def test_another_request_s_success_is_not_ours(store: Store) -> None:
    """The same event twice, as the script sees it."""
    grant = await store.approved()
    key = store.grants._key(grant.id)

    async def redeem(request_id: str) -> tuple[Outcome, State | None]:
        return await scripts.transition(store.connection, key, Event.REDEEM, request_id=request_id)

    assert await redeem("one") == (Outcome.CHANGED, State.REDEEMED)
    assert await redeem("one") == (Outcome.CHANGED, State.REDEEMED)
    assert await redeem("two") == (Outcome.REFUSED, State.REDEEMED)
    assert await redeem("one") == (Outcome.CHANGED, State.REDEEMED)


async def test_a_create_script_that_runs_twice_is_one_grant_s(store: Store) -> None:
    expires_at = int(store.clock()) + 600

    def new(client_id: str, mark: str) -> scripts.NewGrant:
        return scripts.NewGrant(
            key=keyspace.grant("x"),
            code_key=keyspace.user_code("y"),
            mark=mark,
            fields={"client": client_id, "scope": "profile"},
            expires_at=expires_at,
            kept_ms=60_000,
        )

    grants = [new("ours", "1"), new("ours", "1"), new("theirs", "1"), new("ours", "2")]
    created = [await scripts.create_grant(store.connection, grant) for grant in grants]
    assert created == [True, True, False, False]


async def test_a_signing_key_that_is_added_twice_was_added(store: Store) -> None:
    """Else no worker would hear of the key of which the answer was lost."""

    async def add(key_id: str) -> bool:
        record = b'{"alg":"ES256"}'
        return await scripts.add_signing_key(
            store.connection,
            keyspace.SIGNING_KEYS,
            key_id,
            record,
            algorithm="ES256",
            useless=[],
        )

    assert [await add("ours"), await add("ours"), await add("theirs")] == [True, True, False]


async def test_a_rotation_that_is_repeated_late_is_no_replay(store: Store) -> None:
    """The successor is in use already when the repetition arrives; nothing happens to it."""
    first, family = await store.family()
    second = await store.families.rotate(first, family)
    assert second is not None
    third = await store.families.rotate(second, family)
    assert third is not None
    assert await store.families.rotate(first, family) is None
    assert await store.families.rotate(second, family) == third
    assert await store.families.rotate(third, family) is not None
