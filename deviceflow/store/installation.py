"""The secrets of one installation: made at the first start, stored, shared by all workers.

A store that has lost its data is a new installation. `refresh` then adopts the new secrets and
keeps the old device code key as a lost one: polls with its codes get `expired_token`.
"""

import re
import secrets
from hashlib import blake2b
from hmac import compare_digest

from deviceflow.core import base64url
from deviceflow.core.device_code import KEY_BYTES, DeviceCodeKey, DeviceCodes
from deviceflow.store import keyspace, scripts
from deviceflow.store.connection import Connection
from deviceflow.store.records import RecordKind, check_fields
from deviceflow.store.shapes import Value

LOST_KEYS_KEPT = 8

NAME_CHARACTERS = 16
_NAME = re.compile(r"[A-Za-z0-9_-]{16}")


class Installation:
    """The secrets that all workers of all hosts share."""

    epoch: bytes

    def __init__(self, fields: dict[bytes, bytes]) -> None:
        self.codes = DeviceCodes(())
        self._adopt(fields)

    @classmethod
    async def open(cls, connection: Connection) -> "Installation":
        """Read the secrets, or make them at the very first start. May raise StoreUnavailable."""
        return cls(await _read_or_make(connection))

    def fields(self) -> dict[bytes, bytes]:
        """Return the secrets as they are stored."""
        return {
            b"epoch": self.epoch,
            b"device_code_key": self.codes.keys[0].secret,
            b"name_key": self._name_key,
            b"challenge_key": self._challenge_key,
        }

    async def refresh(self, connection: Connection) -> bool:
        """Read the secrets again; return whether they are new. May raise StoreUnavailable."""
        fields = await _read_or_make(connection)
        if fields[b"epoch"] == self.epoch:
            return False
        self._adopt(fields)
        return True

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
        lost = [DeviceCodeKey(key.key_id, key.secret, lost=True) for key in self.codes.keys]
        self.epoch = fields[b"epoch"]
        self._challenge_key = fields[b"challenge_key"]
        self._name_key = fields[b"name_key"]
        key = DeviceCodeKey(self.epoch[0], fields[b"device_code_key"])
        self.codes.adopt([key, *lost[:LOST_KEYS_KEPT]])


async def _read_or_make(connection: Connection) -> dict[bytes, bytes]:
    names = ("epoch", "device_code_key", "name_key", "challenge_key")
    proposal: dict[str, Value] = {name: secrets.token_bytes(KEY_BYTES) for name in names}
    fields = await scripts.install(connection, keyspace.INSTALLATION, proposal)
    check_fields(fields, RecordKind.INSTALLATION)
    return fields
