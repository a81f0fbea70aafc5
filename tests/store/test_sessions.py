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


def session_of(name: str, at: int, browser: str = "") -> Session:
    return Session(name, f"sub-{name}", at, browser=browser)


async def test_a_persons_sessions_are_listed(each_store: Store) -> None:
    now = int(each_store.clock())
    first = await each_store.sessions.start(session_of("ada", now, "Firefox; Linux"))
    second = await each_store.sessions.start(session_of("ada", now + 1, "Safari; iPhone"))
    await each_store.sessions.start(session_of("bob", now))
    found = await each_store.sessions.of("sub-ada")
    assert [(each.name, each.session.browser) for each in found] == [
        (each_store.sessions.name_of(second), "Safari; iPhone"),
        (each_store.sessions.name_of(first), "Firefox; Linux"),
    ]
    await each_store.sessions.end(second)
    assert [each.name for each in await each_store.sessions.of("sub-ada")] == [
        each_store.sessions.name_of(first)
    ]


async def test_one_session_is_ended_by_its_person_only(each_store: Store) -> None:
    session_id = await each_store.sessions.start(session_of("ada", int(each_store.clock())))
    name = each_store.sessions.name_of(session_id)
    assert not await each_store.sessions.end_named("sub-bob", name)
    assert not await each_store.sessions.end_named("sub-ada", "x")
    assert await each_store.sessions.get(session_id) is not None
    assert await each_store.sessions.end_named("sub-ada", name)
    assert await each_store.sessions.get(session_id) is None
    assert not await each_store.sessions.end_named("sub-ada", name)


async def test_all_other_sessions_end(each_store: Store) -> None:
    now = int(each_store.clock())
    ids = [await each_store.sessions.start(session_of("ada", now)) for _ in range(40)]
    other = await each_store.sessions.start(session_of("bob", now))
    assert await each_store.sessions.end_all("sub-ada", besides=ids[7]) == 39
    (left,) = await each_store.sessions.of("sub-ada")
    assert left.name == each_store.sessions.name_of(ids[7])
    assert await each_store.sessions.end_all("sub-ada") == 1
    assert await each_store.sessions.of("sub-ada") == []
    assert await each_store.sessions.get(other) is not None


async def test_the_list_of_sessions_stays_short(each_store: Store) -> None:
    now = int(each_store.clock())
    for at in (now, now + 99, now + 100):
        await each_store.sessions.start(session_of("ada", at))
    (key,) = await each_store.connection.command("KEYS", keyspace.sessions_of("*"))
    assert await each_store.connection.command("ZCARD", key) == 2, "the first lived for 100 s"
