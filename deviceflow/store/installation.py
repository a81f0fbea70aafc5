"""The secrets of one installation: made at the first start, kept in the store, read by all.

If the store has lost its data, the installation is a new one. `refresh` then goes on with the
new secrets and keeps the old device code key as a lost one: its grants are `expired_token`.
"""

import re
import secrets
from hashlib import blake2b
from hmac import compare_digest
from typing import Any

from deviceflow.core import base64url
from deviceflow.core.device_code import KEY_BYTES, DeviceCodeKey, DeviceCodes
from deviceflow.store.connection import Connection

INSTALL_KEY = "df:install"
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
        """Read the secrets, or make them at the very first start. Raises StoreUnavailable."""
        return cls(await _read_or_make(connection))

    async def refresh(self, connection: Connection) -> bool:
        """Read the secrets again; True if the store had lost them. Raises StoreUnavailable."""
        fields = await _read_or_make(connection)
        if fields[b"epoch"] == self.epoch:
            return False
        self._adopt(fields)
        return True

    def csrf_key(self) -> bytes:
        """The key of the tokens in forms."""
        return self._csrf_key

    def nonce_key(self) -> bytes:
        """The key of the nonces of DPoP."""
        return self._csrf_key

    def name(self, purpose: bytes, value: bytes) -> str:
        """A name for `value`, 16 characters of base64url, that does not tell it.

        Keyed, since a user code is short enough to be found by trying them all.
        """
        digest = blake2b(value, digest_size=12, key=self._name_key, person=purpose).digest()
        return base64url.encode(digest)

    def seal(self, name: str) -> str:
        """A name for what `name` made, 32 characters: with this installation it leads back to it.

        Its first half is a name of `name`, its second half `name` under a mask that the first
        half tells (as in SIV).
        """
        tag = self.name(b"grant id", name.encode())
        return tag + self._masked(name, tag)

    def unseal(self, sealed: str) -> str | None:
        """What `sealed` stands for, or None if it was not sealed here."""
        tag, masked = sealed[:NAME_CHARACTERS], sealed[NAME_CHARACTERS:]
        if not _NAME.fullmatch(masked):
            return None
        name = self._masked(masked, tag)
        expected = self.name(b"grant id", name.encode())
        return name if compare_digest(expected.encode(), tag.encode()) else None

    def successor(self, token: bytes) -> str:
        """The secret that `token` leads to, 256 bits as 43 characters of base64url.

        Who has the installation's keys but no token can make none.
        """
        digest = blake2b(token, digest_size=32, key=self._name_key, person=b"successor").digest()
        return base64url.encode(digest)

    def _masked(self, name: str, tag: str) -> str:
        mask = blake2b(tag.encode(), digest_size=12, key=self._name_key, person=b"grant id mask")
        pairs = zip(base64url.decode(name), mask.digest(), strict=True)
        return base64url.encode(bytes(byte ^ other for byte, other in pairs))

    def _adopt(self, fields: dict[bytes, bytes]) -> None:
        lost = [DeviceCodeKey(key.key_id, key.secret, lost=True) for key in self.codes.keys]
        self.epoch = fields[b"epoch"]
        self._csrf_key = fields[b"csrf_key"]
        self._name_key = fields[b"name_key"]
        key = DeviceCodeKey(self.epoch[0], fields[b"device_code_key"])
        self.codes.adopt([key, *lost[:LOST_KEYS_KEPT]])


async def _read_or_make(connection: Connection) -> dict[bytes, bytes]:
    proposal: list[str | bytes | int] = []
    for field in ("epoch", "device_code_key", "name_key", "csrf_key"):
        proposal += [field, secrets.token_bytes(KEY_BYTES)]
    return pairs(await connection.run("install", [INSTALL_KEY], *proposal))


def pairs(answer: Any) -> dict[bytes, bytes]:  # noqa: ANN401, a Lua table
    """A hash as a script returns it: a flat list of fields and values."""
    return dict(zip(answer[::2], answer[1::2], strict=True))
