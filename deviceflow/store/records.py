"""Records as the store keeps them: JSON, which another version may have written."""

from typing import TypeVar

import msgspec

from deviceflow.store.errors import RecordUnreadable

R = TypeVar("R", bound=msgspec.Struct)


def read_record(record: bytes, kind: type[R]) -> R:
    """The record as this version understands it. Raises RecordUnreadable, which says why."""
    try:
        return msgspec.json.decode(record, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecordUnreadable(str(error)) from error
