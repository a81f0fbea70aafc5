"""Access tokens that the store has to know: opaque ones, and those of a grant that has ended.

An opaque token is 43 random characters behind a prefix; the store keeps its claims under a
hash of it. A JWT needs no record. A grant's access tokens share its id (`grant_id`) and end
together, by one mark (`Tokens.revoke` sets it).
"""

import hashlib
import secrets

import msgspec

from deviceflow.core.claims import Claims
from deviceflow.store.connection import Connection
from deviceflow.store.installation import NAME_CHARACTERS

PREFIX = "dfa_"
"""Tells an opaque access token from a JWT and from a refresh token, also to secret scanners."""

LONGEST_LIFE_S = 86_400
"""No access token lives longer, whatever the settings are or were (`config` allows no more)."""


class AccessTokens:
    """The door to access tokens. Every method raises StoreUnavailable."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

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

    async def is_revoked(self, grant_id: str) -> bool:
        """Whether the access tokens of that grant were ended."""
        return bool(await self._connection.command("EXISTS", mark_key(grant_id)))


def mark_key(grant_id: str) -> str:
    """The key that is there if the access tokens of that grant were ended.

    Its name is the half of the id that does not lead to the family.
    """
    return f"df:r:{grant_id[:NAME_CHARACTERS]}"


def _token_key(token: str) -> str:
    return f"df:t:{hashlib.blake2b(token.encode(), digest_size=16).hexdigest()}"
