"""Sessions of people, on fakeredis and on a real server alike."""

import re

from deviceflow.store import keyspace
from deviceflow.store.sessions import Session
from tests.stage.store import Store


async def test_a_session_is_known_until_it_ends(each_store: Store) -> None:
    session_id = await each_store.sessions.start(Session("ada", "sub-ada", 1_800_000_000))
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", session_id)
    expected = Session("ada", "sub-ada", 1_800_000_000)
    assert await each_store.sessions.get(session_id) == expected
    await each_store.sessions.end(session_id)
    assert await each_store.sessions.get(session_id) is None
    await each_store.sessions.end(session_id)


async def test_each_sign_in_has_its_own_session(each_store: Store) -> None:
    first = await each_store.sessions.start(Session("ada", "sub-ada", 1))
    second = await each_store.sessions.start(Session("ada", "sub-ada", 1))
    assert first != second
    await each_store.sessions.end(first)
    assert await each_store.sessions.get(second) == Session("ada", "sub-ada", 1)


async def test_what_nobody_issued_is_no_session(each_store: Store) -> None:
    for session_id in ("", "x", "A" * 43, "*", "\0", "é"):
        assert await each_store.sessions.get(session_id) is None


async def test_a_session_ends_by_itself(each_store: Store) -> None:
    await each_store.sessions.start(Session("ada", "sub-ada", 1))
    (key,) = await each_store.connection.command("KEYS", keyspace.session("*"))
    assert 98_000 <= await each_store.connection.command("PTTL", key) <= 100_000


async def test_another_installation_does_not_know_it(each_store: Store) -> None:
    session_id = await each_store.sessions.start(Session("ada", "sub-ada", 1))
    await each_store.connection.command("DEL", keyspace.INSTALLATION)
    assert await each_store.installation.refresh(each_store.connection)
    assert await each_store.sessions.get(session_id) is None
