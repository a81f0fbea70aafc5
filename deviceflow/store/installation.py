"""The secrets of one installation: made at the first start, stored, shared by all workers.

A store that has lost its data is a new installation. `refresh` then adopts the new secrets and
keeps the old device code key as a lost one: polls with its codes get `expired_token`.
"""

import re
from hashlib import blake2b
from hmac import compare_digest

from deviceflow.core import base64url
from deviceflow.core.device_code import DeviceCodeKey, DeviceCodes
from deviceflow.store import keyspace, scripts
from deviceflow.store.connection import Connection
from deviceflow.store.envelope import NO_ENVELOPE, Envelope, is_sealed
from deviceflow.store.key_sets import (
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

    def __init__(self, fields: dict[bytes, bytes], envelope: Envelope = NO_ENVELOPE) -> None:
        self.envelope = envelope
        self.codes = DeviceCodes(())
        self._adopt(fields)

    @classmethod
    async def open(cls, connection: Connection, envelope: Envelope = NO_ENVELOPE) -> "Installation":
        """Read the secrets, or make them at the very first start. May raise StoreUnavailable."""
        return cls(await _read_or_make(connection, envelope), envelope)

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
        fields = key_fields_of(self.keys, self.envelope if is_sealed else NO_ENVELOPE)
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

    def challenge_key(self) -> bytes:
        """Return the key for values that clients send back: CSRF tokens and DPoP nonces."""
        return self._challenge_key

    def name(self, purpose: bytes, value: bytes) -> str:
        """Return a name for `value`, 16 characters of base64url, that does not reveal it.

        Keyed, because a user code is short enough to be found by trying them all.
        """
        digest = blake2b(value, digest_size=12, key=self._name_key, person=purpose).digest()
        return base64url.encode(digest)

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

    def derived(self, purpose: bytes, seed: bytes) -> str:
        """Return the secret that is derived from `seed`: 256 bits, 43 characters of base64url.

        The installation's keys without the seed are not enough to make one.
        """
        digest = blake2b(seed, digest_size=32, key=self._name_key, person=purpose).digest()
        return base64url.encode(digest)

    def encryption_key(self, purpose: bytes) -> bytes:
        """Return the key, 32 bytes, of secrets that are encrypted for `purpose` (`secret_box`)."""
        return blake2b(digest_size=32, key=self._name_key, person=purpose).digest()

    def _masked(self, name: str, tag: str) -> str:
        mask = blake2b(tag.encode(), digest_size=12, key=self._name_key, person=b"grant id mask")
        pairs = zip(base64url.decode(name), mask.digest(), strict=True)
        return base64url.encode(bytes(byte ^ other for byte, other in pairs))

    def _adopt(self, fields: dict[bytes, bytes]) -> None:
        keys = keys_in_fields(fields, self.envelope)
        self._fields = fields
        self.keys = keys
        newest = keys.sets[0]
        self._challenge_key, self._name_key = newest.challenge, newest.name
        known = [DeviceCodeKey(each.id, each.device_code) for each in keys.sets]
        own = {key.secret for key in known}
        lost = [
            DeviceCodeKey(key.key_id, key.secret, lost=True)
            for key in self.codes.keys
            if key.secret not in own
        ]
        self.codes.adopt([*known, *lost[:LOST_KEYS_KEPT]])


async def _read_or_make(connection: Connection, envelope: Envelope) -> dict[bytes, bytes]:
    proposal = key_fields_of(new_keys(), envelope)
    named = {name.decode(): value for name, value in proposal.items()}
    return await scripts.install(connection, keyspace.INSTALLATION, named)
