"""Refresh tokens, in families: one family a redemption (RFC 6749 6, RFC 9700 4.14.2).

A token is `<family name>.<43 random characters>`; the store keeps only a hash of the random
part. The family's name is a keyed hash of the grant's id: both live under one hash tag, so a
redemption stores the family in the step that redeems the grant.
"""

import hashlib
import re
import secrets
import time
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

import msgspec

from deviceflow.core.claims import Subject
from deviceflow.store.connection import Connection
from deviceflow.store.keys import Installation

_TOKEN = re.compile(r"([A-Za-z0-9_-]{16})\.([A-Za-z0-9_-]{43})")


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """What a refresh token stands for. `expires_at` in s: no rotation outlives it."""

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


class Rotation(StrEnum):
    """What became of a refresh token that was used."""

    ROTATED = "rotated"
    REPLAYED = "replayed"
    MISSING = "missing"
    FOREIGN = "foreign"


class Tokens:
    """The door to families of refresh tokens. Every method raises StoreUnavailable."""

    def __init__(
        self,
        connection: Connection,
        installation: Installation,
        idle_s: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._connection = connection
        self._installation = installation
        self._idle_s = idle_s
        self._clock = clock

    def grant_id(self, name: str) -> str:
        """What all tokens of the family's grant share; it does not tell the family's name."""
        return self._installation.name(b"grant id", name.encode())

    def idle_until_ms(self, family: Family) -> int:
        """When the family ends if nobody uses it."""
        return min(family.expires_at, int(self._clock()) + self._idle_s) * 1000

    async def read(self, name: str) -> Family | None:
        """The family of that name, or None."""
        record = await self._connection.command("HGET", _key(name), "family")
        return msgspec.json.decode(record, type=Family) if record else None

    async def rotate(
        self, presented: RefreshToken, successor: RefreshToken, family: Family
    ) -> Rotation:
        """Make `successor` the next token of the family, if `presented` may be used."""
        outcome = await self._connection.run_durably(
            "rotate",
            [_key(presented.name)],
            secrets.token_hex(8),
            presented.hash,
            successor.hash,
            self.idle_until_ms(family),
            family.client_id,
        )
        return Rotation(outcome.decode())

    async def holds(self, presented: RefreshToken) -> bool:
        """Whether `presented` may be used now: it is the current token or its successor."""
        known = await self._connection.command("HMGET", _key(presented.name), "current", "next")
        return presented.hash.encode() in known

    async def revoke(self, name: str) -> None:
        """End the family."""
        await self._connection.command("DEL", _key(name))


def family_fields(family: Family, token_hash: str) -> list[str | bytes | int]:
    """The fields of a new family, as the scripts store and read them."""
    fields: dict[str, str | bytes | int] = {
        "family": msgspec.json.encode(family),
        "client": family.client_id,
        "expires": family.expires_at,
        "current": token_hash,
    }
    return [part for field in fields.items() for part in field]


def _key(name: str) -> str:
    return f"df:f:{{{name}}}"
