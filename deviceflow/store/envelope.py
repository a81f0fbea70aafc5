"""Secrets in the store, sealed by a key from outside the store: the envelope key.

    "dfe1" (4)  |  key id (6)  |  nonce (12)  |  AES-256-GCM (and its tag, 16)

The purpose of the secret and the key id are associated data. So a sealed secret cannot stand in for
another one, and a copy of the store alone opens nothing.

There may be several envelope keys: the first one seals, all of them open. So all hosts can have the
next key before the secrets are sealed by it.
"""

from collections.abc import Callable, Sequence
from hashlib import blake2b

from deviceflow.store.errors import RecordUnreadable
from deviceflow.store.secret_box import decrypt, encrypt

_MAGIC = b"dfe1"
_ID_END = len(_MAGIC) + 6

REMEDY = "set keys.envelope_file, keys.envelope_keys or keys.envelope_command to the source of it"


class EnvelopeError(RecordUnreadable):
    """A sealed secret cannot be opened. The text is a part of a line for the operator."""


class _Key:
    """An envelope key. Its id is computed from it, so keys need no names."""

    def __init__(self, secret: bytes) -> None:
        self.id = _derived(secret, b"df-envelope-id")[: _ID_END - len(_MAGIC)]
        self.encryption = _derived(secret, b"df-envelope-key")


class Envelope:
    """The envelope keys of this host; without any, it seals and opens nothing.

    `read`: reads the keys from their source, each 32 bytes, the one that seals first. May raise
    EnvelopeError.
    """

    def __init__(self, read: Callable[[], Sequence[bytes]] = tuple) -> None:
        self._read = read
        self._keys: list[_Key] = []
        self.read_again()

    def read_again(self) -> None:
        """Read the keys from their source, which may have changed. May raise EnvelopeError."""
        self._keys = [_Key(secret) for secret in self._read()]

    @property
    def can_seal(self) -> bool:
        """Whether there is a key."""
        return bool(self._keys)

    @property
    def key_id(self) -> str:
        """The id of the key that seals: 12 hexadecimal digits."""
        return self._keys[0].id.hex()

    def seal(self, purpose: str, secret: bytes) -> bytes:
        """Seal a secret. It can be opened for the same purpose only."""
        key = self._keys[0]
        return _MAGIC + key.id + encrypt(key.encryption, secret, _context(purpose, key.id))

    def open(self, purpose: str, sealed: bytes) -> bytes:
        """Return the secret. May raise EnvelopeError."""
        key_id, encrypted = sealed[len(_MAGIC) : _ID_END], sealed[_ID_END:]
        key = next((key for key in self._keys if key.id == key_id), None)
        if key is None:
            own = ", ".join(key.id.hex() for key in self._keys)
            has = f"this host has {own}" if own else f"this host has none; {REMEDY}"
            raise EnvelopeError(f"sealed by the envelope key {key_id.hex()}, and {has}")
        secret = decrypt(key.encryption, encrypted, _context(purpose, key_id))
        if secret is None:
            reason = f"sealed by the envelope key {key_id.hex()}, and damaged or sealed for others"
            raise EnvelopeError(reason)
        return secret


NO_ENVELOPE = Envelope()


def is_sealed(value: bytes) -> bool:
    """Return whether a value was made by `Envelope.seal`."""
    return value.startswith(_MAGIC)


def _context(purpose: str, key_id: bytes) -> str:
    return f"{purpose} {key_id.hex()}"


def _derived(secret: bytes, person: bytes) -> bytes:
    return blake2b(digest_size=32, key=secret, person=person).digest()
