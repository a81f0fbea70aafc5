"""Refresh tokens, in families: one family a redemption (RFC 6749 6, RFC 9700 4.14.2).

A token is `<family name>.<43 characters>`; the store keeps only a hash of the second part. The
family's name is a keyed hash of the grant's id: both live under one hash tag, so a redemption
stores the family in the step that redeems the grant.

A use gives a token a successor. The successor is derived from the token, so that requests
that are doubled get the same; one that comes later gets another, and the store knows them all
until one of them is used. That one is the family's current token from then on, and whoever
uses an earlier one, or another successor, replays (docs/decisions/0010).
"""

import hashlib
import re
import secrets
from hmac import compare_digest
from typing import NamedTuple

import msgspec

from deviceflow.core.claims import Subject
from deviceflow.core.clock import Clock
from deviceflow.store.access_tokens import LONGEST_LIFE_S, mark_key
from deviceflow.store.connection import Connection
from deviceflow.store.installation import Installation

SAME_SUCCESSOR_S = 10
"""Uses of one token within such a step of time lead to one successor."""

SUCCESSORS_KEPT = 16

_TOKEN = re.compile(r"([A-Za-z0-9_-]{16})\.([A-Za-z0-9_-]{43})")


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """What a refresh token stands for.

    `expires_at` in s: no rotation outlives it. `dpop_jkt`: the key of the first token, if it is
    bound to one; how it is with its successors, `PresentedRefreshToken` tells.
    """

    client_id: str
    scope: str
    subject: Subject
    expires_at: int
    dpop_jkt: str = ""
    resources: str = ""


class RefreshToken(NamedTuple):
    """A refresh token taken apart. `text` is what the device has."""

    name: str
    secret: str

    @property
    def text(self) -> str:
        """The token as it goes over the wire."""
        return f"{self.name}.{self.secret}"

    @property
    def hash(self) -> str:
        """All of the secret that the store knows."""
        return hashlib.blake2b(self.secret.encode(), digest_size=16).hexdigest()

    @classmethod
    def new(cls, name: str) -> "RefreshToken":
        """A token of family `name` with 256 random bits (RFC 6749 10.10 asks for 160)."""
        return cls(name, secrets.token_urlsafe(32))

    @classmethod
    def parse(cls, text: str) -> "RefreshToken | None":
        """The parts of what somebody presents, or None if it has another shape."""
        found = _TOKEN.fullmatch(text)
        return cls(found[1], found[2]) if found else None


class PresentedRefreshToken(NamedTuple):
    """The family of a refresh token that somebody presents.

    `is_good`: it may be used now; it is the current token or an unused successor. If not, it
    was used before, or somebody tries secrets. `dpop_jkt`: the key that it is bound to, or ''.
    """

    family: Family
    is_good: bool
    dpop_jkt: str


class Families:
    """The door to families of refresh tokens. Every method raises StoreUnavailable."""

    def __init__(
        self,
        connection: Connection,
        installation: Installation,
        idle_s: int,
        clock: Clock,
    ) -> None:
        self._connection = connection
        self._installation = installation
        self._idle_s = idle_s
        self._clock = clock

    def grant_id(self, name: str) -> str:
        """What all tokens of the family's grant share; it tells the family's name to us only."""
        return self._installation.seal(name)

    def idle_until_ms(self, family: Family) -> int:
        """When the family ends if nobody uses it."""
        return min(family.expires_at, int(self._clock()) + self._idle_s) * 1000

    async def find(self, presented: RefreshToken) -> PresentedRefreshToken | None:
        """The family of that name, and how `presented` stands in it; None without one."""
        record, current, following, jkt = await self._connection.command(
            "HMGET", _key(presented.name), "family", "current", "next", "jkt"
        )
        if record is None:
            return None
        family = msgspec.json.decode(record, type=Family)
        bound_to = family.dpop_jkt if jkt is None else jkt.decode()
        for entry in (following or b"").decode().split():
            successor, _, key = entry.partition(":")
            if compare_digest(successor, presented.hash):
                return PresentedRefreshToken(family, is_good=True, dpop_jkt=key or bound_to)
        return PresentedRefreshToken(
            family, compare_digest(current.decode(), presented.hash), bound_to
        )

    async def rotate(
        self, presented: RefreshToken, family: Family, jkt: str = ""
    ) -> RefreshToken | None:
        """Use `presented`: its successor, bound to the key `jkt` if there is one.

        None if it may not be used any more: the family ended, or another request was faster.
        """
        successor = self._successor(presented, jkt)
        is_rotated = await self._connection.run_durably(
            "rotate",
            [_key(presented.name)],
            presented.hash,
            successor.hash,
            jkt,
            self.idle_until_ms(family),
            SUCCESSORS_KEPT,
        )
        return successor if is_rotated else None

    async def revoke(self, grant_id: str) -> None:
        """End all tokens of a grant, by what they share."""
        # The access tokens first. If the store goes away in between, the caller tries again;
        # at the latest the next refresh finds the mark, and ends the family.
        await self._connection.command("SET", mark_key(grant_id), "1", "EX", LONGEST_LIFE_S)
        name = self._installation.unseal(grant_id)
        if name is not None:
            await self._connection.command("DEL", _key(name))

    def _successor(self, presented: RefreshToken, jkt: str) -> RefreshToken:
        step = int(self._clock()) // SAME_SUCCESSOR_S
        # The text has no space, so no two of these are spelt alike.
        secret = self._installation.successor(f"{presented.text} {step} {jkt}".encode())
        return RefreshToken(presented.name, secret)


def family_fields(family: Family, token_hash: str) -> list[str | bytes | int]:
    """The fields of a new family, as the scripts store and read them."""
    return ["family", msgspec.json.encode(family), "current", token_hash]


def _key(name: str) -> str:
    return f"df:f:{{{name}}}"
