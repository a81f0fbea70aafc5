"""Access tokens that the store has to know: opaque ones, and those of a grant that has ended.

An opaque token is 43 random characters behind a prefix; the store keeps its claims under a
hash of it. A JWT needs no record. A grant's access tokens share its id (`grant_id`) and end
together, by one mark (`Families.revoke` sets it).
"""

import hashlib
import secrets

from deviceflow.core.claims import Claims, ClaimValue
from deviceflow.store import keyspace
from deviceflow.store.connection import Connection
from deviceflow.store.installation import NAME_CHARACTERS
from deviceflow.store.records import RecordKind, read_record, write_record

PREFIX = "dfa_"
"""Distinguishes an opaque access token from other tokens, also for secret scanners."""

LONGEST_LIFE_S = 86_400
"""No access token lives longer, whatever the settings are or were (`config` allows no more)."""


class AccessTokens:
    """The door to access tokens. Every method may raise StoreUnavailable."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def store(self, claims: Claims, ttl_s: int, secret: str = "") -> str:
        """Return an opaque token that stands for `claims`, for `ttl_s` s.

        `secret`: its 43 characters, or empty for new ones.
        """
        token = PREFIX + (secret or secrets.token_urlsafe(32))
        record = write_record(claims)
        await self._connection.command("SET", _token_key(token), record, "EX", max(1, ttl_s))
        return token

    async def claims_of(self, token: str) -> Claims | None:
        """Return the claims that an opaque token stands for, or None."""
        if not token.startswith(PREFIX) or not token.isascii():
            return None
        record = await self._connection.command("GET", _token_key(token))
        if record is None:
            return None
        claims = read_record(record, RecordKind.OPAQUE_TOKEN, dict[str, ClaimValue])
        claims.pop("v", None)  # a word of the record, no claim
        return claims

    async def is_revoked(self, grant_id: str) -> bool:
        """Return whether the access tokens of that grant were ended."""
        return bool(await self._connection.command("EXISTS", mark_key(grant_id)))


def mark_key(grant_id: str) -> str:
    """Return the key that exists if the access tokens of that grant were ended.

    It is named by the half of the id that does not lead to the family.
    """
    return keyspace.revoked(grant_id[:NAME_CHARACTERS])


def _token_key(token: str) -> str:
    return keyspace.opaque_token(hashlib.blake2b(token.encode(), digest_size=16).hexdigest())
