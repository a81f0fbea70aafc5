"""Ids that may be used once."""

import asyncio

import pytest

from deviceflow.store import keyspace
from deviceflow.store.connection import Connection
from deviceflow.store.replay import Replay
from tests.stage.lossy import lossy_path
from tests.stage.store import Store
from tests.stage.valkey import Valkey


@pytest.fixture
def replay(store: Store) -> Replay:
    return Replay(store.connection, store.installation)


async def test_once(replay: Replay) -> None:
    """9449-11.1-a, OIDC-9-a: each kind and each owner has ids of its own."""
    assert await replay.use("dpop", "key", "one", 60)
    assert not await replay.use("dpop", "key", "one", 60)
    for kind, who, jti in (("assertion", "key", "one"), ("dpop", "k", "eyone")):
        assert await replay.use(kind, who, jti, 60)


@pytest.mark.parametrize("jti", ["", "é", "\ud800", "\x00", "x" * 5000, "a:b c\r\n"])
async def test_any_id(replay: Replay, jti: str) -> None:
    """JSON can spell half a surrogate pair."""
    assert await replay.use("dpop", "key", jti, 60)
    assert not await replay.use("dpop", "key", jti, 60)


async def test_one_of_many_at_once(replay: Replay) -> None:
    used = await asyncio.gather(*(replay.use("dpop", "key", "one", 60) for _ in range(20)))
    assert sorted(used) == [False] * 19 + [True]


async def test_after_a_restart(store: Store, replay: Replay) -> None:
    """OIDC-9-a: the memory is the store's, for as long as it was asked to be."""
    assert await replay.use("assertion", "me", "one", 60)
    again = Replay(store.connection, await store.installation.open(store.connection))
    assert not await again.use("assertion", "me", "one", 60)
    (key,) = await store.connection.command("KEYS", keyspace.used("assertion", "*"))
    assert 50 < await store.connection.command("TTL", key) <= 60
    assert b"one" not in key


async def test_nothing_left_to_keep(replay: Replay) -> None:
    assert await replay.use("assertion", "me", "one", 0)
    assert not await replay.use("assertion", "me", "one", 0)


async def test_a_use_whose_answer_was_lost(store: Store, valkey: Valkey) -> None:
    """redis-py repeats it: the repetition finds its own mark, and the id is not yet used."""
    async with lossy_path(valkey.socket_path) as path:
        far = Connection.open(path.url)
        replay = Replay(far, store.installation)
        assert await replay.use("dpop", "key", "zero", 60), "the script is loaded"
        for lost, jti in enumerate(("one", "two"), 1):
            path.lose_answers(b"EVAL")
            assert await replay.use("dpop", "key", jti, 60)
            assert path.lost == lost
            assert not await replay.use("dpop", "key", jti, 60)
        await far.close()
