"""Records that operators can repair: JSON, which another version may have written."""

from typing import TypeVar

import msgspec

from deviceflow.store.errors import RecordUnreadable

R = TypeVar("R", bound=msgspec.Struct)


def read_record(record: bytes, kind: type[R]) -> R:
    """Return the record as this version understands it. May raise RecordUnreadable."""
    try:
        return msgspec.json.decode(record, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecordUnreadable(str(error)) from error
