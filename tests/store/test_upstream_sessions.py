"""Sessions that a provider ends."""

import pytest

from deviceflow.store.sessions import Session
from deviceflow.store.upstream_sessions import ProviderSession, UpstreamSessions
from tests.stage.store import Store

ADA = ProviderSession("acme", "1", "s-1")


@pytest.fixture
def index(each_store: Store) -> UpstreamSessions:
    return UpstreamSessions(each_store.connection, each_store.installation, 100, each_store.clock)


async def begun(store: Store, index: UpstreamSessions, origin: ProviderSession) -> str:
    session_id = await store.sessions.start(Session("ada", "sub-ada", 1))
    assert await index.note(origin, store.sessions.name_of(session_id), store.clock())
    return session_id


async def live(store: Store, *session_ids: str) -> list[bool]:
    return [await store.sessions.get(each) is not None for each in session_ids]


async def test_one_session_there_ends_its_own(each_store: Store, index: UpstreamSessions) -> None:
    first = await begun(each_store, index, ADA)
    second = await begun(each_store, index, ADA._replace(sid="s-2"))
    assert await index.end(ADA) == 1
    assert await live(each_store, first, second) == [False, True]


async def test_without_a_sid_all_of_the_person_end(
    each_store: Store, index: UpstreamSessions
) -> None:
    mine = [await begun(each_store, index, ADA._replace(sid=sid)) for sid in ("s-1", "s-2", "")]
    others = [
        await begun(each_store, index, ADA._replace(subject="2", sid="s-3")),
        await begun(each_store, index, ADA._replace(provider="other")),
    ]
    assert await index.end(ADA._replace(sid="")) == 3
    assert await live(each_store, *mine, *others) == [False, False, False, True, True]


async def test_a_sid_alone_is_enough(each_store: Store, index: UpstreamSessions) -> None:
    session_id = await begun(each_store, index, ADA)
    assert await index.end(ADA._replace(subject="")) == 1
    assert await live(each_store, session_id) == [False]
    assert await index.end(ADA._replace(subject="")) == 0


async def test_what_ended_by_itself_is_no_longer_listed(
    each_store: Store, index: UpstreamSessions
) -> None:
    for _ in range(3):
        await begun(each_store, index, ADA)
        each_store.clock.now += 60
    (key,) = await each_store.connection.command("KEYS", index._keys(ADA)[-1])
    assert await each_store.connection.command("ZCARD", key) == 2


async def test_a_logout_during_the_sign_in_is_found(
    each_store: Store, index: UpstreamSessions
) -> None:
    """It comes before the session is listed, so it finds none. A later sign-in is another one."""
    began = each_store.clock()
    assert await index.end(ADA) == 0
    assert not await index.note(ADA, "name", began)
    assert await index.note(ADA._replace(sid="s-2"), "name", began)
    assert await index.note(ADA._replace(sid=""), "name", began)
    each_store.clock.now += 2
    assert await index.note(ADA, "name", each_store.clock())
