"""Redemptions that can be repeated: what their tokens were made from, kept for a short time.

A device whose answer was lost has only its code. Until one of the tokens is used, and for the
grace at most, it may redeem that code again, and gets the same tokens (docs/decisions/0014). The
store has their claims, and a seed. Their secrets are derived from the seed with a key of the
installation, so the record shows no token.
"""

import secrets

import msgspec

from deviceflow.core.claims import Claims
from deviceflow.core.clock import Clock
from deviceflow.store import keyspace, scripts
from deviceflow.store.connection import Connection
from deviceflow.store.families import RefreshToken
from deviceflow.store.grant_records import RepeatableRedemption
from deviceflow.store.installation import Installation
from deviceflow.store.records import RecordKind, read_record, write_record

SEED_BYTES = 32

_SLACK_S = 10
"""A redemption takes a moment, and two hosts' clocks differ a little."""


class TokenContent(msgspec.Struct, frozen=True, kw_only=True):
    """What the tokens of one response say. `id_token`: None if there is no ID token.

    `algorithm`: the client's own for signed tokens; None for the server's.
    """

    access_token: Claims
    id_token: Claims | None
    is_opaque: bool
    algorithm: str | None = None


class RedeemedTokens(msgspec.Struct, frozen=True, kw_only=True):
    """What the tokens of a redemption were made from.

    `seed`: random bytes, from which the secrets are derived, by the keys with the id `key_id`.
    `jkt` and `resources`: the DPoP key and the `resource` values of the request. A repetition has
    the same.
    """

    seed: bytes
    content: TokenContent
    has_refresh_token: bool
    jkt: str
    resources: tuple[str, ...]
    key_id: int | None = None


class Redemptions:
    """The door to redemptions that can be repeated. Each has the name of its grant.

    `grace_s`: how long they can be; 0 for never. Every coroutine may raise StoreUnavailable.
    """

    def __init__(
        self, connection: Connection, installation: Installation, grace_s: int, clock: Clock
    ) -> None:
        self._connection = connection
        self._installation = installation
        self._grace_s = grace_s
        self._clock = clock

    @property
    def key_id(self) -> int:
        """The id of the keys from which secrets are derived now."""
        return self._installation.key_id

    def repeatable(
        self, tokens: RedeemedTokens, access_lifetime_s: int
    ) -> RepeatableRedemption | None:
        """Return what a redemption has to store, or None if it cannot be repeated.

        No repetition gives an access token that has expired.
        """
        kept_s = min(self._grace_s, access_lifetime_s)
        return RepeatableRedemption(write_record(tokens), kept_s * 1000) if kept_s else None

    def opaque_secret(self, tokens: RedeemedTokens) -> str:
        """Return the secret part of the access token, if that is an opaque one."""
        return self._installation.derived(b"first access", tokens.seed, tokens.key_id)

    def refresh_token(self, tokens: RedeemedTokens, name: str) -> RefreshToken:
        """Return the refresh token, if there is one."""
        secret = self._installation.derived(b"first refresh", tokens.seed, tokens.key_id)
        return RefreshToken(name, secret)

    async def find(self, name: str) -> RedeemedTokens | None:
        """Return the tokens to give again, or None if the redemption cannot be repeated."""
        record = await scripts.repeat_redemption(self._connection, keyspace.redemption(name))
        return (
            None if record is None else read_record(record, RecordKind.REDEMPTION, RedeemedTokens)
        )

    async def note_use(self, grant_id: str, issued_at: int = 0) -> None:
        """End the repetition: a token of that grant is used, so the answer has arrived.

        `grant_id`: the id that the grant's tokens share. `issued_at` (s): when the token was
        issued, if that is known. An old token costs no look at the store.
        """
        if issued_at and self._clock() - issued_at > self._grace_s + _SLACK_S:
            return
        name = self._installation.unseal(grant_id)
        if name is not None:
            await self._connection.command("DEL", keyspace.redemption(name))


def new_seed() -> bytes:
    """Return a new seed."""
    return secrets.token_bytes(SEED_BYTES)
