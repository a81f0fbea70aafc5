"""Access tokens that the store knows."""

import re

import msgspec
import pytest

from deviceflow.config import Tokens
from deviceflow.core.claims import Claims
from deviceflow.store import keyspace
from deviceflow.store.access_tokens import LONGEST_LIFE_S, AccessTokens
from tests.stage.store import Store

CLAIMS: Claims = {"jti": "one", "grant_id": "g", "aud": ["a", "b"], "cnf": {"jkt": "x"}, "exp": 5}


@pytest.fixture
def access(store: Store) -> AccessTokens:
    return AccessTokens(store.connection)


async def test_an_opaque_token(access: AccessTokens, store: Store) -> None:
    """6749-10.3-a, 6749-10.10-a: 256 random bits, of which the store has a hash."""
    token = await access.store(CLAIMS, 60)
    assert re.fullmatch(r"dfa_[A-Za-z0-9_-]{43}", token)
    assert await access.claims_of(token) == CLAIMS
    (key,) = await store.connection.command("KEYS", keyspace.opaque_token("*"))
    assert token[4:].encode() not in key
    assert 50 < await store.connection.command("TTL", key) <= 60
    assert await access.store(CLAIMS, 60) != token


@pytest.mark.parametrize("token", ["", "dfa_", "dfa_x", "dfa_é", "dfa_\udcff", "x", "\x00"])
async def test_no_token(access: AccessTokens, token: str) -> None:
    """Whatever bytes a header had."""
    assert await access.claims_of(token) is None


async def test_revoked(access: AccessTokens, store: Store) -> None:
    """7009-2-a: all of one grant, and of no other."""
    ours, other = (store.families.grant_id(name * 16) for name in "ab")
    assert not await access.is_revoked(ours)
    await store.families.revoke(ours)
    assert await access.is_revoked(ours)
    assert not await access.is_revoked(other)


def test_no_access_token_outlives_its_mark() -> None:
    """7009-2-a: whatever the settings were when it was made, and are when it is revoked."""
    longest = {"access_token_lifetime_s": LONGEST_LIFE_S}
    assert msgspec.convert(longest, Tokens).access_token_lifetime_s == LONGEST_LIFE_S
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"access_token_lifetime_s": LONGEST_LIFE_S + 1}, Tokens)
