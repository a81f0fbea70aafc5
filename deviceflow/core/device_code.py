"""Device codes: signed, self-describing, opaque to everybody else (RFC 8628 sections 3.2, 5.2).

A code is 32 bytes, 43 characters of base64url:

    masked payload (16)  |  tag (16)

    payload  grant id (8)  expiry, s (4)  interval, s (2)  key id (1)  version (1)
    tag      keyed BLAKE2b over payload and client_id
    mask     keyed BLAKE2b of the tag, laid over the payload (as in SIV)

So a worker knows from the code alone, with no look-up, that this server issued it, to which
client and until when; and the code does not tell how many were issued before it. The tag's
128 bits are what RFC 8628 5.2 asks of a device code that nobody may guess.

A grant id is 64 bits: a slot number (40 bits, from one counter, so that live grants spread
evenly over the pace table) and a nonce (24 bits). The nonce keeps two grants apart even if a
store that failed over hands out the same slot twice.
"""

from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Iterable
from hashlib import blake2b
from hmac import compare_digest
from struct import Struct as Layout
from typing import NamedTuple

from deviceflow.core import base64url

SLOT_BITS = 40
NONCE_BITS = 24
KEY_BYTES = 32
CODE_LENGTH = 43

_VERSION = 1
_SEALED = Layout(">QQ16s")
_HALVES = Layout(">QQ")
# 43 characters carry 258 bits; the last one's two spare bits must be zero, or one code
# would have four spellings.
_LAST = frozenset(b"AEIMQUYcgkosw048")
# To the ordinary alphabet, whose own two characters are none of a code's.
_URLSAFE = bytes.maketrans(b"-_+/", b"+/!!")


class DeviceCode(NamedTuple):
    """What a device code says: `expires_at` in s since the epoch, `interval` in s."""

    grant_id: int
    expires_at: int
    interval: int
    key_id: int

    @property
    def slot(self) -> int:
        """The number that the slot counter gave this grant."""
        return self.grant_id >> NONCE_BITS


class DeviceCodeKey:
    """One key, `secret` of 32 random bytes, known by `key_id` 0..255.

    A `lost` key is one whose grants the store no longer has.
    """

    def __init__(self, key_id: int, secret: bytes, *, lost: bool = False) -> None:
        self.key_id = key_id
        self.secret = secret
        self.lost = lost
        self._tag = blake2b(digest_size=16, key=secret, person=b"df-code-tag")
        self._mask = blake2b(digest_size=16, key=secret, person=b"df-code-mask")

    def tag(self, payload: bytes, client_id: bytes) -> bytes:
        """The 16 bytes that only this key's holder can make."""
        state = self._tag.copy()
        state.update(payload + client_id)
        return state.digest()

    def stream(self, tag: bytes) -> tuple[int, int]:
        """The keystream that `tag` names, as two 64-bit numbers to lay over the payload."""
        state = self._mask.copy()
        state.update(tag)
        high, low = _HALVES.unpack(state.digest())
        return high, low


class DeviceCodes:
    """Seals new codes with the newest key and opens codes of every key it holds."""

    def __init__(self, keys: Iterable[DeviceCodeKey]) -> None:
        self.keys = tuple(keys)

    def adopt(self, keys: Iterable[DeviceCodeKey]) -> None:
        """Hold `keys` from now on, the newest first."""
        self.keys = tuple(keys)

    def seal(self, grant_id: int, expires_at: int, interval: int, client_id: str) -> str:
        """The device code of a new grant, 43 characters of base64url."""
        key = self.keys[0]
        rest = ((expires_at << 16 | interval) << 8 | key.key_id) << 8 | _VERSION
        tag = key.tag(_HALVES.pack(grant_id, rest), client_id.encode())
        high, low = key.stream(tag)
        sealed = _SEALED.pack(grant_id ^ high, rest ^ low, tag)
        return base64url.encode(sealed)

    def open(self, code: bytes, client_id: bytes) -> DeviceCode | None:
        """What `code` says if this server issued it to this client, else None."""
        if len(code) != CODE_LENGTH or code[-1] not in _LAST:
            return None
        try:
            sealed = a2b_base64(code.translate(_URLSAFE) + b"=", strict_mode=True)
        except Base64Error:
            return None
        masked_id, masked_rest, tag = _SEALED.unpack(sealed)
        for key in self.keys:
            high, low = key.stream(tag)
            grant_id, rest = masked_id ^ high, masked_rest ^ low
            if compare_digest(key.tag(_HALVES.pack(grant_id, rest), client_id), tag):
                # The store lost this key's grants: nobody can approve them any more.
                expires_at = 0 if key.lost else rest >> 32
                return DeviceCode(grant_id, expires_at, rest >> 16 & 0xFFFF, rest >> 8 & 0xFF)
        return None
