"""The file of an export: records, compressed and sealed with a passphrase.

    magic (20)  |  salt (16)  |  chunks

    chunk   length of what follows (4)  |  AES-256-GCM of at most 64 KiB (and its tag, 16)

The key comes from the passphrase by Argon2id (RFC 9106 section 4, its second recommendation). The
nonce of a chunk is its number and whether it is the last one, so that no chunk can be moved, left
out or cut off at the end unnoticed (the STREAM construction). Inside is a zlib
stream of MessagePack values: the header, and the records of `snapshot`.
"""

import secrets
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import msgspec
from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from deviceflow.store.snapshot import SnapshotError, StoredKey

VERSION = 1

_MAGIC = b"deviceflow export 1\n"
_SALT_BYTES = 16
_CHUNK_BYTES = 65_536
_TAG_BYTES = 16
_LENGTH = struct.Struct(">I")
_NONCE = struct.Struct(">xxxQ?")

_DAMAGED = "the file is damaged or was cut off"


class Header(msgspec.Struct, frozen=True):
    """What is first in the file. `made_at` in s. `program`: the version that wrote it."""

    version: int
    made_at: int
    program: str


class ArchiveWriter:
    """Writes a header and records into a file. Call `close` at the end."""

    def __init__(self, file: BinaryIO, passphrase: str, header: Header) -> None:
        salt = secrets.token_bytes(_SALT_BYTES)
        file.write(_MAGIC + salt)
        self._file = file
        self._cipher = AESGCM(_key(passphrase, salt))
        self._packer = zlib.compressobj()
        self._waiting = bytearray()
        self._number = 0
        self._write(msgspec.msgpack.encode(header))

    def add(self, record: StoredKey) -> None:
        """Write a record."""
        self._write(msgspec.msgpack.encode(record))

    def close(self) -> None:
        """Write the rest. Without it the file does not open."""
        self._waiting += self._packer.flush()
        self._seal_full_chunks()
        self._seal(bytes(self._waiting), is_last=True)

    def _write(self, message: bytes) -> None:
        self._waiting += self._packer.compress(_LENGTH.pack(len(message)) + message)
        self._seal_full_chunks()

    def _seal_full_chunks(self) -> None:
        while len(self._waiting) > _CHUNK_BYTES:
            self._seal(bytes(self._waiting[:_CHUNK_BYTES]), is_last=False)
            del self._waiting[:_CHUNK_BYTES]

    def _seal(self, chunk: bytes, *, is_last: bool) -> None:
        sealed = self._cipher.encrypt(_NONCE.pack(self._number, is_last), chunk, _MAGIC)
        self._file.write(_LENGTH.pack(len(sealed)) + sealed)
        self._number += 1


class ArchiveReader:
    """Reads what an ArchiveWriter wrote. May raise SnapshotError, at any record."""

    def __init__(self, file: BinaryIO, passphrase: str) -> None:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise SnapshotError("this is not a file of `deviceflow export`")
        self._file = file
        self._cipher = AESGCM(_key(passphrase, file.read(_SALT_BYTES)))
        self._messages = self._read_messages()
        self.header = msgspec.msgpack.decode(next(self._messages), type=Header)
        if self.header.version != VERSION:
            raise SnapshotError(
                f"the file is of version {self.header.version}, made by deviceflow "
                f"{self.header.program}; this one reads version {VERSION}"
            )

    def records(self) -> Iterator[StoredKey]:
        """Yield the records."""
        for message in self._messages:
            yield msgspec.msgpack.decode(message, type=StoredKey)

    def _read_messages(self) -> Iterator[bytes]:
        unpacker = zlib.decompressobj()
        waiting = bytearray()
        for chunk in self._read_chunks():
            waiting += unpacker.decompress(chunk)
            while len(waiting) >= _LENGTH.size:
                (length,) = _LENGTH.unpack_from(waiting)
                if len(waiting) < _LENGTH.size + length:
                    break
                yield bytes(waiting[_LENGTH.size : _LENGTH.size + length])
                del waiting[: _LENGTH.size + length]

    def _read_chunks(self) -> Iterator[bytes]:
        number = 0
        sealed = self._read_sealed()
        while sealed is not None:
            following = self._read_sealed()
            nonce = _NONCE.pack(number, following is None)
            try:
                yield self._cipher.decrypt(nonce, sealed, _MAGIC)
            except InvalidTag as error:
                reason = _DAMAGED if number else "the passphrase is wrong, or the file is damaged"
                raise SnapshotError(reason) from error
            sealed = following
            number += 1

    def _read_sealed(self) -> bytes | None:
        head = self._file.read(_LENGTH.size)
        if not head:
            return None
        if len(head) < _LENGTH.size:
            raise SnapshotError(_DAMAGED)
        (length,) = _LENGTH.unpack(head)
        if length > _CHUNK_BYTES + _TAG_BYTES:
            raise SnapshotError(_DAMAGED)
        sealed = self._file.read(length)
        if len(sealed) < length:
            raise SnapshotError(_DAMAGED)
        return sealed


def _key(passphrase: str, salt: bytes) -> bytes:
    return hash_secret_raw(
        passphrase.encode(),
        salt.ljust(_SALT_BYTES, b"\0"),
        time_cost=3,
        memory_cost=65_536,
        parallelism=4,
        hash_len=32,
        type=Type.ID,
    )
