"""Records, which another version of the program may have written (docs/decisions/0025).

A record says its version in `v`: a member of its JSON, or a field of its hash. A record without
`v` has version 1, so the records of today say it with no byte.

- A new field has a default. A reader ignores fields that it does not know, and a change of the
  record keeps them. Such a field raises no version.
- Any other change raises the version of its kind. A reader refuses a record of a higher version
  than it knows, and changes nothing: that record alone cannot be used.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, TypeVar

import msgspec
import structlog
from msgspec import Meta

from deviceflow.store.errors import RecordUnreadable

R = TypeVar("R")

log = structlog.get_logger()


class RecordKind(StrEnum):
    """The kinds of records that say a version."""

    APPROVAL = "approval"
    CLIENT = "client"
    DECISION = "entry of the decision log"
    DEVICE = "device of a person"
    FACTORS = "factors of a person"
    FAMILY = "family of refresh tokens"
    GRANT = "grant"
    INSTALLATION = "installation"
    LINK = "link to an upstream person"
    NOTICE_LINK = "link in a notice"
    OPAQUE_TOKEN = "opaque access token"  # noqa: S105, a name
    REDEMPTION = "redemption"
    SESSION = "session"
    SIGNING_KEY = "signing key"
    USER = "user"


NEWEST = dict.fromkeys(RecordKind, 1) | {
    RecordKind.CLIENT: 2,
    RecordKind.INSTALLATION: 2,
    RecordKind.SIGNING_KEY: 2,
}
"""The newest version of each kind that this program reads. It reads every earlier one, too."""


_LOGGED_ELSEWHERE = {RecordKind.CLIENT, RecordKind.INSTALLATION, RecordKind.SIGNING_KEY}
"""Kinds of which each record that cannot be read has a line of its own, with its name."""


class _Version(msgspec.Struct):
    """The only part of a JSON record that means the same in all versions."""

    v: Annotated[int, Meta(ge=1)] = 1


def read_record(record: bytes, kind: RecordKind, model: type[R]) -> R:
    """Return a JSON record as this version understands it. May raise RecordUnreadable."""
    try:
        _check(msgspec.json.decode(record, type=_Version).v, kind)
        return msgspec.json.decode(record, type=model)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecordUnreadable(str(error)) from error


def check_fields(fields: Mapping[bytes, bytes], kind: RecordKind) -> None:
    """Check the version of a hash. May raise RecordUnreadable."""
    try:
        version = int(fields.get(b"v", b"1"))
    except ValueError:
        raise RecordUnreadable("its version is no number") from None
    _check(version, kind)


def write_record(
    record: object, over: bytes = b"", *, version: int = 1, without: Collection[str] = ()
) -> bytes:
    """Return the JSON of a record.

    `over`: the record that it replaces. What a later version has added to that is kept.
    `without`: members that say nothing, and that an older version refuses to read.
    """
    text = msgspec.json.encode(record)
    added: dict[str, Any] = _unknown_members(over, type(record), version)
    if version > 1:
        added["v"] = version
    if not added and not without:
        return text
    members = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    kept = {name: member for name, member in members.items() if name not in without}
    return msgspec.json.encode(kept | added)


def _check(version: int, kind: RecordKind) -> None:
    if version > NEWEST[kind]:
        if kind not in _LOGGED_ELSEWHERE:
            _log_refusal(kind, version)
        raise RecordUnreadable(
            f"it has version {version}, and this version of deviceflow reads up to {NEWEST[kind]}"
        )


# Once in each process: a device that polls would repeat the line for hours.
@cache
def _log_refusal(kind: RecordKind, version: int) -> None:
    log.error(
        "record.refused",
        kind=kind.value,
        version=version,
        known=NEWEST[kind],
        consequence="records of this version cannot be used here, and stay as they are",
        remedy="run the version that wrote them on this host, too",
    )


def _unknown_members(record: bytes, model: type[Any], version: int) -> dict[str, msgspec.Raw]:
    """Return the members of a record that this version does not know; none if it has no form."""
    if not record or not issubclass(model, msgspec.Struct):
        return {}
    try:
        if msgspec.json.decode(record, type=_Version).v != version:
            return {}  # they may mean something else in that version
        members = msgspec.json.decode(record, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    known = {"v", *model.__struct_encode_fields__}
    return {name: member for name, member in members.items() if name not in known}
