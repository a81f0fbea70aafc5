"""The installation's keys and the stored clients, kept on this host for a start without the store.

A server that restarts while Redis is away answers the polls of pending grants with them, so no
device gives up. They are in a file of `server.data_dir` that only the server's user can read, as
they are in the store: sealed, if they are sealed there. docs/security.md says what the keys are
good for. The private keys that sign tokens are not among them.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec
import structlog

from deviceflow.core.client import Client
from deviceflow.store.envelope import NO_ENVELOPE, Envelope, EnvelopeError
from deviceflow.store.errors import RecordUnreadable
from deviceflow.store.installation import Installation

KEPT_KEYS_NAME = "kept-keys.json"
_FORMAT = 1

log = structlog.get_logger()


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
    _write(folder, _File(keys=_keys(kept.installation), clients=list(kept.clients)))


def _keys(installation: Installation) -> dict[str, bytes]:
    return {name.decode(): value for name, value in installation.fields().items()}


def _write(folder: Path, content: _File) -> None:
    text = msgspec.json.encode(content)
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


def keep_or_warn(folder: Path, kept: KeptKeys) -> None:
    """Write the file, or log why not."""
    try:
        keep(folder, kept)
    except OSError as error:
        _warn(folder, error)


def _warn(folder: Path, error: Exception) -> None:
    consequence = "this host cannot start while the store is away"
    reason = getattr(error, "strerror", None) or str(error)
    log.warning("keys.not_kept", folder=str(folder), reason=reason, then=consequence)


def keep_new_keys(folder: Path, installation: Installation) -> None:
    """Put changed keys into the file, if there is one, or log why not.

    Several workers of a host may do so: each writes a file of its own, and the last one stays.
    """
    try:
        content = msgspec.json.decode((folder / KEPT_KEYS_NAME).read_bytes(), type=_File)
        _write(folder, msgspec.structs.replace(content, keys=_keys(installation)))
    except FileNotFoundError:
        return
    except (OSError, ValueError, RecursionError) as error:
        _warn(folder, error)


def read_kept(folder: Path, envelope: Envelope = NO_ENVELOPE) -> KeptKeys | None:
    """Read the file; None if there is none that this version can read.

    May raise EnvelopeError: the keys are sealed, and `envelope` does not open them.
    """
    try:
        file = msgspec.json.decode((folder / KEPT_KEYS_NAME).read_bytes(), type=_File)
        if file.format != _FORMAT:
            return None
        fields = {name.encode(): value for name, value in file.keys.items()}
        return KeptKeys(Installation(fields, envelope), file.clients)
    except EnvelopeError:
        raise
    except (OSError, ValueError, RecursionError, RecordUnreadable):
        return None
