"""The secrets of one installation: made at the first start, stored, shared by all workers.

An operator may replace the keys while everything goes on (`rotation`): then several sets of them
serve for some time. A store that has lost its data is a new installation. `refresh` then adopts the
new secrets and keeps the old device code key as a lost one: polls with its codes get
`expired_token`.
"""

import re
import time
from collections.abc import Sequence
from hashlib import blake2b
from hmac import compare_digest

from deviceflow.core import base64url
from deviceflow.core.clock import Clock
from deviceflow.core.device_code import DeviceCodeKey, DeviceCodes
from deviceflow.store import keyspace, scripts
from deviceflow.store.connection import Connection
from deviceflow.store.envelope import NO_ENVELOPE, Envelope, is_sealed
from deviceflow.store.key_sets import (
    InstallationKeys,
    KeySet,
    are_sealed,
    key_fields_of,
    keys_in_fields,
    new_keys,
    unknown_fields,
)

LOST_KEYS_KEPT = 8

NAME_CHARACTERS = 16
_NAME = re.compile(r"[A-Za-z0-9_-]{16}")


class Installation:
    """The secrets that all workers of all hosts share.

    `fields`: the hash in which they are stored. `envelope`: what opens them, if they are sealed.
    May raise RecordUnreadable.
    """

    def __init__(
        self,
        fields: dict[bytes, bytes],
        envelope: Envelope = NO_ENVELOPE,
        clock: Clock = time.time,
    ) -> None:
        self.envelope = envelope
        self._clock = clock
        self.codes = DeviceCodes(())
        self._adopt(fields)

    @classmethod
    async def open(
        cls, connection: Connection, envelope: Envelope = NO_ENVELOPE, clock: Clock = time.time
    ) -> "Installation":
        """Read the secrets, or make them at the very first start. May raise StoreUnavailable."""
        return cls(await _read_or_make(connection, envelope), envelope, clock)

    @classmethod
    async def find(cls, connection: Connection, envelope: Envelope = NO_ENVELOPE) -> "Installation":
        """Read the secrets; if there are none, return new ones that are not stored.

        May raise StoreUnavailable.
        """
        fields = await connection.command("HGETALL", keyspace.INSTALLATION)
        return cls(fields or key_fields_of(new_keys()), envelope)

    @property
    def epoch(self) -> bytes:
        """What this installation has from its first start on, and no other one."""
        return self.keys.epoch

    @property
    def is_sealed(self) -> bool:
        """Whether the secrets in the store are sealed by an envelope key."""
        return are_sealed(self._fields)

    def fields(self) -> dict[bytes, bytes]:
        """Return the secrets as they are stored."""
        return self._fields

    async def refresh(self, connection: Connection) -> bool:
        """Read the secrets again if the store has lost its data; return whether it has.

        May raise StoreUnavailable.
        """
        fields = await _read_or_make(connection, self.envelope)
        if fields[b"epoch"] == self.epoch:
            return False
        self._adopt(fields)
        return True

    async def take_changes(self, connection: Connection) -> bool:
        """Read what an operator has changed; return whether there was a change.

        A loss of the data is left to `refresh`: the feed has to forget more than keys then. May
        raise StoreUnavailable. The secrets then stay as they were.
        """
        fields = await connection.command("HGETALL", keyspace.INSTALLATION)
        if fields == self._fields or fields.get(b"epoch") != self.epoch:
            return False
        self._adopt(fields)
        return True

    async def store_again(self, connection: Connection, *, is_sealed: bool) -> bool:
        """Store the same secrets, sealed by the envelope key that seals, or not sealed.

        Return False if they were changed meanwhile. May raise StoreUnavailable.
        """
        return await self._replace(connection, self.keys, is_sealed=is_sealed)

    async def rotate(self, connection: Connection, since: int, overlap_s: int) -> bool:
        """Make new keys, for all that is made from `since` (s) on. The others serve for longer.

        Return False if the secrets were changed meanwhile. May raise StoreUnavailable.
        """
        keys = self.keys.rotated(since, overlap_s)
        return await self._replace(connection, keys, is_sealed=self.is_sealed)

    async def _replace(
        self, connection: Connection, keys: InstallationKeys, *, is_sealed: bool
    ) -> bool:
        fields = key_fields_of(keys, self.envelope if is_sealed else NO_ENVELOPE)
        fields |= unknown_fields(self._fields)
        is_stored = await scripts.change_installation(
            connection, keyspace.INSTALLATION, before=self._fields, after=fields
        )
        if is_stored:
            self._adopt(fields)
        return is_stored

    def protect(self, purpose: str, secret: bytes) -> bytes:
        """Return how another secret is stored: sealed if the secrets of this installation are."""
        return self.envelope.seal(purpose, secret) if self.is_sealed else secret

    def reveal(self, purpose: str, stored: bytes) -> bytes:
        """Return a secret that `protect` has made storable. May raise EnvelopeError."""
        return self.envelope.open(purpose, stored) if is_sealed(stored) else stored

    def new_device_code(self, grant_id: int, expires_at: int, interval: int, client_id: str) -> str:
        """Return the device code of a new grant, made with the key that serves now."""
        self.codes.sealing = self._current.id
        return self.codes.seal(grant_id, expires_at, interval, client_id)

    def challenge_keys(self) -> tuple[bytes, ...]:
        """Return the keys for values that clients send back: CSRF tokens and DPoP nonces.

        The first one makes them; those of all of them are good.
        """
        return tuple(each.challenge for each in self._serving())

    def name(self, purpose: bytes, value: bytes) -> str:
        """Return a name for `value`, 16 characters of base64url, that no rotation changes.

        It is for values that nobody can guess, and for those that are in the store beside it.
        """
        return _name(self.keys.lasting, purpose, value)

    def hidden_name(self, purpose: bytes, value: bytes) -> str:
        """Return a name for a value that is short enough to be found by trying them all.

        It changes with the keys of the installation: what has to be found again is looked for
        under all of `hidden_names`.
        """
        return _name(self._current.name, purpose, value)

    def hidden_names(self, purpose: bytes, value: bytes) -> list[str]:
        """Return the hidden names that a value may have now; the first one is for new records."""
        return [_name(each.name, purpose, value) for each in self._serving()]

    def seal(self, name: str) -> str:
        """Return 32 characters from which only this installation can recover `name`.

        The first half is a name of `name`. The second half is `name` under a mask that is
        derived from the first half (as in SIV).
        """
        tag = self.name(b"grant id", name.encode())
        return tag + self._masked(name, tag)

    def unseal(self, sealed: str) -> str | None:
        """Return the name in `sealed`, or None if this installation did not seal it."""
        tag, masked = sealed[:NAME_CHARACTERS], sealed[NAME_CHARACTERS:]
        if not _NAME.fullmatch(masked):
            return None
        name = self._masked(masked, tag)
        expected = self.name(b"grant id", name.encode())
        return name if compare_digest(expected.encode(), tag.encode()) else None

    @property
    def key_id(self) -> int:
        """The id of the keys from which secrets are derived now."""
        return self._current.id

    def derived(self, purpose: bytes, seed: bytes, key_id: int | None = None) -> str:
        """Return the secret that is derived from `seed`: 256 bits, 43 characters of base64url.

        The installation's keys without the seed are not enough to make one. `key_id`: of the keys
        from which it was derived before; None for those that serve now.
        """
        sets = self.keys.sets
        key = next((each for each in sets if each.id == key_id), self._current).name
        digest = blake2b(seed, digest_size=32, key=key, person=purpose).digest()
        return base64url.encode(digest)

    def encryption_keys(self, purpose: bytes) -> list[bytes]:
        """Return the keys, 32 bytes, of secrets that are encrypted for `purpose` (`secret_box`).

        The first one encrypts. All that are known decrypt, also those whose time is over.
        """
        current = self._current
        sets = [current, *(each for each in self.keys.sets if each is not current)]
        return [blake2b(digest_size=32, key=each.name, person=purpose).digest() for each in sets]

    def _masked(self, name: str, tag: str) -> str:
        mask = blake2b(tag.encode(), digest_size=12, key=self.keys.lasting, person=b"grant id mask")
        masked = int.from_bytes(base64url.decode(name)) ^ int.from_bytes(mask.digest())
        return base64url.encode(masked.to_bytes(mask.digest_size))

    @property
    def _current(self) -> KeySet:
        return self.keys.current(self._clock())

    def _serving(self) -> Sequence[KeySet]:
        """Return the sets that serve now, the one with which something is made first."""
        if len(self.keys.sets) == 1:
            return self.keys.sets
        now = self._clock()
        current = self.keys.current(now)
        others = (each for each in self.keys.sets if each is not current and each.serves(now))
        return [current, *others]

    def _adopt(self, fields: dict[bytes, bytes]) -> None:
        keys = keys_in_fields(fields, self.envelope)
        self._fields = fields
        self.keys = keys
        known = [
            DeviceCodeKey(each.id, each.device_code, until=each.until or None) for each in keys.sets
        ]
        own = {key.secret for key in known}
        lost = [
            DeviceCodeKey(key.key_id, key.secret, until=0)
            for key in self.codes.keys
            if key.secret not in own
        ]
        self.codes.adopt([*known, *lost[:LOST_KEYS_KEPT]])
        self.codes.sealing = self._current.id


def _name(key: bytes, purpose: bytes, value: bytes) -> str:
    return base64url.encode(blake2b(value, digest_size=12, key=key, person=purpose).digest())


async def _read_or_make(connection: Connection, envelope: Envelope) -> dict[bytes, bytes]:
    proposal = key_fields_of(new_keys(), envelope)
    named = {name.decode(): value for name, value in proposal.items()}
    return await scripts.install(connection, keyspace.INSTALLATION, named)
