"""Refresh tokens, in families: one family a redemption (RFC 6749 6, RFC 9700 4.14.2).

A token is `<family name>.<43 characters>`; the store keeps only a hash of the second part. The
family's name is a keyed hash of the grant's id. Both have the same hash tag, so a redemption
stores the family in the step that redeems the grant.

A use gives a token a successor. The successor is derived from the token, so a request that is
sent twice gets the same one. A later request gets another one, and the store knows them all
until one of them is used. That one is the family's current token from then on; the use of an
earlier token, or of another successor, is a replay (docs/decisions/0010).
"""

import hashlib
import re
import secrets
from hmac import compare_digest
from typing import NamedTuple

import msgspec

from deviceflow.core.claims import Subject
from deviceflow.core.clock import Clock
from deviceflow.store import keyspace, scripts
from deviceflow.store.access_tokens import LONGEST_LIFE_S, mark_key
from deviceflow.store.connection import Connection
from deviceflow.store.installation import Installation
from deviceflow.store.records import RecordKind, read_record, write_record
from deviceflow.store.shapes import Value

SAME_SUCCESSOR_S = 10
"""Uses of a token within one such step of time lead to the same successor."""

SUCCESSORS_KEPT = 16

_TOKEN = re.compile(r"([A-Za-z0-9_-]{16})\.([A-Za-z0-9_-]{43})")


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """What the refresh tokens of a family stand for.

    `expires_at` in s: no rotation outlives it. `dpop_jkt`: the key of the first token if it is
    bound to one; for its successors see `PresentedRefreshToken`. `issued_at`: when the grant was
    redeemed, in s; 0 if an older version did it.
    """

    client_id: str
    scope: str
    subject: Subject
    expires_at: int
    dpop_jkt: str = ""
    resources: str = ""
    issued_at: int = 0


class RefreshToken(NamedTuple):
    """A refresh token in its two parts. `text` is what the device has."""

    name: str
    secret: str

    @property
    def text(self) -> str:
        """The token as it is sent."""
        return f"{self.name}.{self.secret}"

    @property
    def hash(self) -> str:
        """The hash of the secret, which is all of it that is stored."""
        return hashlib.blake2b(self.secret.encode(), digest_size=16).hexdigest()

    @classmethod
    def new(cls, name: str) -> "RefreshToken":
        """Return a token of family `name` with 256 random bits (RFC 6749 10.10 asks for 160)."""
        return cls(name, secrets.token_urlsafe(32))

    @classmethod
    def parse(cls, text: str) -> "RefreshToken | None":
        """Return the token in `text`, or None if it has another form."""
        match = _TOKEN.fullmatch(text)
        return cls(match[1], match[2]) if match else None


class PresentedRefreshToken(NamedTuple):
    """A refresh token that a request presents, as its family knows it.

    `is_good`: the token is the family's current one or an unused successor, and may be used. If
    it is not good, it was used before, or it is a guess. `dpop_jkt`: the key that it is bound
    to, or ''. `listed_at`: when the device was last listed, in s; 0 if only its approval did.
    """

    family: Family
    is_good: bool
    dpop_jkt: str
    listed_at: int = 0


class Families:
    """The door to families of refresh tokens. Every method may raise StoreUnavailable.

    `idle_s`: how long a token may lie unused. `access_s`: how long access tokens live.
    """

    def __init__(
        self,
        connection: Connection,
        installation: Installation,
        idle_s: int,
        clock: Clock,
        access_s: int = 0,
    ) -> None:
        self._connection = connection
        self._installation = installation
        self._idle_s = idle_s
        self._clock = clock
        self._access_s = access_s

    def grant_id(self, name: str) -> str:
        """Return the id that all tokens of the family's grant share.

        Only this installation can recover the family's name from it.
        """
        return self._installation.seal(name)

    def idle_until_ms(self, family: Family) -> int:
        """Return when the family ends if no token of it is used."""
        return min(family.expires_at, int(self._clock()) + self._idle_s) * 1000

    async def find(self, token: RefreshToken) -> PresentedRefreshToken | None:
        """Return the token with its family, or None if there is no family of that name."""
        record, current, following, jkt, listed = await self._connection.command(
            "HMGET", keyspace.family(token.name), "family", "current", "next", "jkt", "listed"
        )
        if record is None:
            return None
        family = read_record(record, RecordKind.FAMILY, Family)
        bound_to = family.dpop_jkt if jkt is None else jkt.decode()
        listed_at = int(listed or 0)
        for entry in (following or b"").decode().split():
            successor, _, key = entry.partition(":")
            if compare_digest(successor, token.hash):
                return PresentedRefreshToken(
                    family, is_good=True, dpop_jkt=key or bound_to, listed_at=listed_at
                )
        is_current = compare_digest(current.decode(), token.hash)
        return PresentedRefreshToken(family, is_current, bound_to, listed_at)

    async def rotate(
        self, token: RefreshToken, family: Family, jkt: str = "", listed_at: int = 0
    ) -> RefreshToken | None:
        """Use `token` and return its successor, bound to the key `jkt` if that is not empty.

        `listed_at`: when the device was listed anew for this use (s); 0 if it was not.

        From then on, the redemption that began the family cannot be repeated.
        None if the token may not be used any more: the family has ended, or another request was
        faster.
        """
        successor = self._successor(token, jkt)
        is_rotated = await scripts.rotate_refresh_token(
            self._connection,
            scripts.RotationKeys(
                keyspace.family(token.name),
                keyspace.redemption(token.name),
                keyspace.living(token.name),
            ),
            scripts.Rotation(token.hash, successor.hash, jkt),
            scripts.Use(
                int(self._clock()), listed_at, self._outliving_ms(family), family.subject.sub
            ),
            idle_until_ms=self.idle_until_ms(family),
            kept=SUCCESSORS_KEPT,
        )
        return successor if is_rotated else None

    async def revoke(self, grant_id: str) -> None:
        """End all tokens of a grant, by the id that they share."""
        # Keys in two hash slots, so two steps: the access tokens first. If the store goes
        # away in between, the caller tries again; at the latest the next refresh finds the
        # mark, and ends the family.
        await self._connection.command("SET", mark_key(grant_id), "1", "EX", LONGEST_LIFE_S)
        name = self._installation.unseal(grant_id)
        if name is not None:
            keys = keyspace.family(name), keyspace.redemption(name), keyspace.living(name)
            await self._connection.command("DEL", *keys)

    def _outliving_ms(self, family: Family) -> int:
        """Return when an access token of now ends, if the family may end before; else 0."""
        ends_at_ms = (int(self._clock()) + self._access_s) * 1000
        return ends_at_ms if ends_at_ms > self.idle_until_ms(family) else 0

    def _successor(self, token: RefreshToken, jkt: str) -> RefreshToken:
        step = int(self._clock()) // SAME_SUCCESSOR_S
        # A token's text has no space, so two different triples never give the same string.
        secret = self._installation.derived(b"successor", f"{token.text} {step} {jkt}".encode())
        return RefreshToken(token.name, secret)


def family_fields(family: Family, token_hash: str) -> dict[str, Value]:
    """Return the fields of a new family, as the scripts store and read them."""
    return {"family": write_record(family), "current": token_hash}
