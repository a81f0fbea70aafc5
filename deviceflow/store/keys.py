"""The secrets of one installation: made at the first start, kept in the store, read by all.

If the store has lost its data, the installation is a new one. `refresh` then goes on with the
new secrets and keeps the old device code key as a lost one: its grants are `expired_token`.
"""

import secrets
from base64 import urlsafe_b64encode
from hashlib import blake2b
from typing import Any

from deviceflow.core.device_code import KEY_BYTES, DeviceCodeKey, DeviceCodes
from deviceflow.store.connection import Connection

INSTALL_KEY = "df:install"
LOST_KEYS_KEPT = 8


class Installation:
    """The secrets that all workers of all hosts share."""

    codes: DeviceCodes
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
        return urlsafe_b64encode(digest).decode()

    def _adopt(self, fields: dict[bytes, bytes]) -> None:
        lost = [DeviceCodeKey(key.key_id, key.secret, lost=True) for key in self.codes.keys]
        self.epoch = fields[b"epoch"]
        self._csrf_key = fields[b"csrf_key"]
        self._name_key = fields[b"name_key"]
        key = DeviceCodeKey(self.epoch[0], fields[b"device_code_key"])
        self.codes = DeviceCodes([key, *lost[:LOST_KEYS_KEPT]])


async def _read_or_make(connection: Connection) -> dict[bytes, bytes]:
    proposal: list[str | bytes | int] = []
    for field in ("epoch", "device_code_key", "name_key", "csrf_key"):
        proposal += [field, secrets.token_bytes(KEY_BYTES)]
    return pairs(await connection.run("install", [INSTALL_KEY], *proposal))


def pairs(answer: Any) -> dict[bytes, bytes]:  # noqa: ANN401, a Lua table
    """A hash as a script returns it: a flat list of fields and values."""
    return dict(zip(answer[::2], answer[1::2], strict=True))
