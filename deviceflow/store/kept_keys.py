"""The installation's keys and the stored clients, kept on this host for a start without the store.

A server that restarts while Redis is away answers the polls of pending grants with them, so no
device gives up. They are in a file of `server.data_dir` that only the server's user can read. It is
not sealed: a key to unseal it would have to be on the same host. docs/security.md says what the
keys are good for. The private keys that sign tokens are not among them.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from deviceflow.core.client import Client
from deviceflow.store.installation import Installation

KEPT_KEYS_NAME = "kept-keys.json"
_FORMAT = 1


class KeptKeys(NamedTuple):
    """What a worker needs to answer pending polls without the store."""

    installation: Installation
    clients: Sequence[Client]


class _File(msgspec.Struct, frozen=True, kw_only=True):
    format: int = _FORMAT
    keys: dict[str, bytes]
    clients: list[Client]


def keep(folder: Path, kept: KeptKeys) -> None:
    """Write the file, as a whole or not at all. May raise OSError."""
    fields = {name.decode(): value for name, value in kept.installation.fields().items()}
    text = msgspec.json.encode(_File(keys=fields, clients=list(kept.clients)))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path, new = folder / KEPT_KEYS_NAME, folder / f".{KEPT_KEYS_NAME}.{os.getpid()}"
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        with suppress(OSError):
            new.unlink()


def read_kept(folder: Path) -> KeptKeys | None:
    """Read the file; None if there is none that this version can read."""
    try:
        file = msgspec.json.decode((folder / KEPT_KEYS_NAME).read_bytes(), type=_File)
        if file.format != _FORMAT:
            return None
        fields = {name.encode(): value for name, value in file.keys.items()}
        return KeptKeys(Installation(fields), file.clients)
    except (OSError, msgspec.DecodeError, KeyError, IndexError):
        return None
