"""Access tokens that the store knows."""

import re

import pytest

from deviceflow.core.claims import Claims
from deviceflow.store.access import AccessTokens
from tests.store.conftest import Store

CLAIMS: Claims = {"jti": "one", "grant_id": "g", "aud": ["a", "b"], "cnf": {"jkt": "x"}, "exp": 5}


@pytest.fixture
def access(store: Store) -> AccessTokens:
    return AccessTokens(store.connection, 1800)


async def test_an_opaque_token(access: AccessTokens, store: Store) -> None:
    """6749-10.3-a, 6749-10.10-a: 256 random bits, of which the store has a hash."""
    token = await access.store(CLAIMS, 60)
    assert re.fullmatch(r"dfa_[A-Za-z0-9_-]{43}", token)
    assert await access.read(token) == CLAIMS
    (key,) = await store.connection.command("KEYS", "df:t:*")
    assert token[4:].encode() not in key
    assert 50 < await store.connection.command("TTL", key) <= 60
    assert await access.store(CLAIMS, 60) != token


@pytest.mark.parametrize("token", ["", "dfa_", "dfa_x", "dfa_é", "dfa_\udcff", "x", "\x00"])
async def test_no_token(access: AccessTokens, token: str) -> None:
    """Whatever bytes a header had."""
    assert await access.read(token) is None


async def test_revoked(access: AccessTokens, store: Store) -> None:
    """7009-2-a: by the token's own id or by its grant's."""
    assert not await access.is_revoked("one", "g")
    await access.revoke("one", 60)
    assert await access.is_revoked("one", "g")
    assert not await access.is_revoked("two", "g")
    await access.revoke_grant("g")
    assert await access.is_revoked("two", "g")
    assert await store.connection.command("TTL", "df:r:g") > 1790
    await access.revoke_grant("h", 86_400)
    assert await store.connection.command("TTL", "df:r:h") > 86_390
