"""Commands whose answer is lost: redis-py repeats them, and nothing happens twice.

Catalogue, section 5: a script recognises its own earlier success, and nobody else's.
"""

from collections.abc import AsyncIterator

import pytest

from deviceflow.core.grant import Event, Outcome, State
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
    for key in await store.connection.command("KEYS", "df:[guf]:*"):
        await store.connection.command("DEL", key)
    connection = Connection.open(path.url)
    yield Store(connection, await Installation.open(connection), clock)
    await connection.close()


async def test_a_new_grant_is_made_once(far: Store, path: LossyPath) -> None:
    path.lose_answers(b"EVALSHA")
    issued = await far.issue()
    assert path.lost == 1
    assert await far.grants.find(issued.user_code) is not None
    for pattern in ("df:g:*", "df:u:*"):
        assert len(await far.connection.command("KEYS", pattern)) == 1


async def test_claim_and_approval_succeed_once(far: Store, path: LossyPath) -> None:
    grant = await far.grant()
    path.lose_answers(b"EVALSHA")
    assert await far.grants.claim(grant, ADA.sub) is Outcome.CHANGED
    path.lose_answers(b"EVALSHA")
    assert await far.grants.decide(grant, Event.APPROVE, ADA) is Outcome.CHANGED
    assert path.lost == 2
    assert await far.grants.decide(grant, Event.APPROVE, ADA) is Outcome.REFUSED


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
    await store.mirror.catch_up()
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
    path.lose_answers(b"INCRBY")
    slots = [await far.slots.take() for _ in range(40)]
    assert path.lost == 1
    assert len(set(slots)) == 40


async def test_another_request_s_success_is_not_ours(store: Store) -> None:
    """The same event twice, as the script sees it."""
    grant = await store.approved()
    key = store.grants._key(grant.id)

    async def redeem(request_id: str) -> list[bytes]:
        answer: list[bytes] = await store.connection.run(
            "transition", [key], "redeem", request_id, "", ""
        )
        return answer

    assert await redeem("one") == [b"changed", b"redeemed"]
    assert await redeem("one") == [b"changed", b"redeemed"]
    assert await redeem("two") == [b"refused", b"redeemed"]
    assert await redeem("one") == [b"changed", b"redeemed"]


async def test_a_create_script_that_runs_twice_is_one_grant_s(store: Store) -> None:
    expires = int(store.clock()) + 600

    async def create(client_id: str) -> int:
        request = ("client", client_id, "scope", "profile")
        made: int = await store.connection.run("create", ["df:g:{x}"], expires, 60_000, *request)
        return made

    assert [await create("ours"), await create("ours"), await create("theirs")] == [1, 1, 0]


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
