"""Device codes: signed, self-describing, opaque to clients (RFC 8628 sections 3.2, 5.2).

A code is 32 bytes, 43 characters of base64url:

    masked payload (16)  |  tag (16)

    payload  grant id (8)  expiry, s (4)  interval, s (2)  key id (1)  version (1)
    tag      keyed BLAKE2b over payload and client_id
    mask     keyed BLAKE2b of the tag, laid over the payload (as in SIV)

A worker learns from the code alone, without a look-up, that this server issued it, to which
client, and until when. The tag has 128 bits, because RFC 8628 5.2 asks for a code that cannot
be guessed. The mask hides the slot number, which would reveal how many codes were issued.

A grant id is 64 bits: a slot number (40 bits) and a nonce (24 bits). Slot numbers come from a
single counter, so that live grants spread evenly over the pace table. The nonce keeps two grants
apart even if a store that failed over assigns the same slot twice.
"""

from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Iterable
from hashlib import blake2b
from hmac import compare_digest
from struct import Struct as Layout

from msgspec import Struct

from deviceflow.core import base64url

SLOT_BITS = 40
NONCE_BITS = 24
KEY_BYTES = 32
CODE_LENGTH = 43

_VERSION = 1
_SEALED = Layout(">QQ16s")
_HALVES = Layout(">QQ")
# 43 characters carry 258 bits. The two spare bits of the last character must be zero: otherwise
# each code could be written in four ways.
_LAST = frozenset(b"AEIMQUYcgkosw048")
# From base64url to ordinary base64, for a2b_base64. "+" and "/" are not in the alphabet of a
# code, so they become "!", which strict_mode refuses.
_URLSAFE = bytes.maketrans(b"-_+/", b"+/!!")


class DeviceCode(Struct, frozen=True, gc=False):
    """The contents of a device code: `expires_at` in s since the epoch, `interval` in s.

    `client_id`: of the client that it was issued to.
    """

    grant_id: int
    expires_at: int
    interval: int
    key_id: int
    client_id: bytes = b""

    @property
    def slot(self) -> int:
        """This grant's number from the slot counter."""
        return self.grant_id >> NONCE_BITS


class DeviceCodeKey:
    """A key: `secret` is 32 random bytes, `key_id` is 0 to 255.

    `until`: when all of its codes end, in s, whatever they say; None for a key that has no
    successor. It is 0 for a lost key: the store has lost the grants that were issued with it.
    """

    def __init__(self, key_id: int, secret: bytes, *, until: int | None = None) -> None:
        self.key_id = key_id
        self.secret = secret
        self.until = until
        self._tag = blake2b(digest_size=16, key=secret, person=b"df-code-tag")
        self._mask = blake2b(digest_size=16, key=secret, person=b"df-code-mask")

    def seal(self, grant_id: int, expires_at: int, interval: int, client_id: bytes) -> bytes:
        """Return a masked payload and its tag, 32 bytes."""
        rest = ((expires_at << 16 | interval) << 8 | self.key_id) << 8 | _VERSION
        state = self._tag.copy()
        state.update(_HALVES.pack(grant_id, rest) + client_id)
        tag = state.digest()
        state = self._mask.copy()
        state.update(tag)
        high, low = _HALVES.unpack(state.digest())
        return _SEALED.pack(grant_id ^ high, rest ^ low, tag)

    def open(self, sealed: bytes, client_id: bytes) -> DeviceCode | None:
        """Return the contents of 32 bytes that `seal` made for this client, or None."""
        masked_id, masked_rest, tag = _SEALED.unpack(sealed)
        state = self._mask.copy()
        state.update(tag)
        high, low = _HALVES.unpack(state.digest())
        grant_id, rest = masked_id ^ high, masked_rest ^ low
        state = self._tag.copy()
        state.update(_HALVES.pack(grant_id, rest) + client_id)
        if not compare_digest(state.digest(), tag):
            return None
        # A grant that the store has lost can no longer be approved. Its code counts as expired, so
        # the device starts again and does not wait in vain. A key that was replaced, perhaps
        # because it leaked, makes no code that outlives its time.
        expires_at = rest >> 32 if self.until is None else min(rest >> 32, self.until)
        return DeviceCode(grant_id, expires_at, rest >> 16 & 0xFFFF, self.key_id, client_id)


class DeviceCodes:
    """Seal new codes with one key, and open codes of every known key.

    `sealing`: the id of the key that seals; None for the newest. A new key is known to all workers
    for a moment before it seals.
    """

    def __init__(self, keys: Iterable[DeviceCodeKey]) -> None:
        self.keys = tuple(keys)
        self.sealing: int | None = None

    def adopt(self, keys: Iterable[DeviceCodeKey]) -> None:
        """Use `keys` from now on, the newest first."""
        self.keys = tuple(keys)

    def seal(self, grant_id: int, expires_at: int, interval: int, client_id: str) -> str:
        """Return the device code of a new grant, 43 characters of base64url."""
        key = self.keys[0]
        if key.key_id != self.sealing:
            key = next((key for key in self.keys if key.key_id == self.sealing), key)
        return base64url.encode(key.seal(grant_id, expires_at, interval, client_id.encode()))

    def open(self, code: bytes, client_id: bytes) -> DeviceCode | None:
        """Return the contents of `code`, or None if it was not issued to this client."""
        if len(code) != CODE_LENGTH or code[-1] not in _LAST:
            return None
        try:
            sealed = a2b_base64(code.translate(_URLSAFE) + b"=", strict_mode=True)
        except Base64Error:
            return None
        # The key id is behind the mask, so the keys are tried in turn. The newest comes first.
        for key in self.keys:
            opened = key.open(sealed, client_id)
            if opened is not None:
                return opened
        return None
