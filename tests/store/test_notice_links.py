"""Links in notices: their tokens are not in the store, and end."""

import re

from deviceflow.store import keyspace
from deviceflow.store.notice_links import LINK_LIVES_S, NoticeLink, NoticeLinks
from tests.stage.store import Store

LINK = NoticeLink("sub-ada", "g" * 32)


async def test_a_link_is_good_until_it_is_used(each_store: Store) -> None:
    links = NoticeLinks(each_store.connection)
    token = await links.make(LINK)
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", token)
    for _ in range(2):
        assert await links.find(token) == LINK
    await links.end(token)
    assert await links.find(token) is None


async def test_only_a_hash_is_stored_and_it_ends(each_store: Store) -> None:
    links = NoticeLinks(each_store.connection)
    token = await links.make(LINK)
    (key,) = await each_store.connection.command("KEYS", keyspace.notice_link("*"))
    assert token not in key.decode()
    assert token.encode() not in await each_store.connection.command("GET", key)
    lives_ms = await each_store.connection.command("PTTL", key)
    assert LINK_LIVES_S - 60 < lives_ms / 1000 <= LINK_LIVES_S


async def test_what_nobody_made_is_no_token(each_store: Store) -> None:
    links = NoticeLinks(each_store.connection)
    for token in ("", "x", "A" * 43, "*" * 43, "é" * 43, "A" * 10_000):
        assert await links.find(token) is None
