"""Access tokens that the store has to know: opaque ones, and revoked ones.

An opaque token is 43 random characters behind a prefix; the store keeps its claims under a
hash of it. A JWT needs no record until it is revoked: then its `jti` is remembered until it
would have expired. A grant's tokens share a name (`grant`), so that they can end together.
"""

import hashlib
import secrets

import msgspec

from deviceflow.core.claims import Claims
from deviceflow.store.connection import Connection

PREFIX = "dfa_"
"""Tells an opaque access token from a JWT and from a refresh token, also to secret scanners."""


class AccessTokens:
    """The door to access tokens. Every method raises StoreUnavailable."""

    def __init__(self, connection: Connection, lifetime_s: int) -> None:
        self._connection = connection
        self._lifetime_s = lifetime_s

    async def store(self, claims: Claims, ttl_s: int) -> str:
        """A new opaque token that stands for `claims`."""
        token = PREFIX + secrets.token_urlsafe(32)
        record = msgspec.json.encode(claims)
        await self._connection.command("SET", _token_key(token), record, "EX", max(1, ttl_s))
        return token

    async def read(self, token: str) -> Claims | None:
        """What an opaque token stands for, or None."""
        if not token.startswith(PREFIX) or not token.isascii():
            return None
        record = await self._connection.command("GET", _token_key(token))
        return msgspec.json.decode(record) if record else None

    async def revoke(self, name: str, ttl_s: int) -> None:
        """End what `name` names, a `jti` or a `grant`, for the `ttl_s` s that it could live."""
        await self._connection.command("SET", f"df:r:{name}", "1", "EX", max(1, ttl_s))

    async def revoke_grant(self, grant_id: str, family_ttl_s: int = 0) -> None:
        """End all tokens of a grant; `family_ttl_s`: as long as its refresh token could live."""
        await self.revoke(grant_id, max(self._lifetime_s, family_ttl_s))

    async def is_revoked(self, *names: str) -> bool:
        """Whether one of `names`, `jti`s and `grant`s, was ended."""
        # One command each: the keys need not live on one node of a cluster.
        async with self._connection.pipeline() as pipe:
            for name in names:
                pipe.exists(f"df:r:{name}")
            return any(await pipe.execute())


def _token_key(token: str) -> str:
    return f"df:t:{hashlib.blake2b(token.encode(), digest_size=16).hexdigest()}"
