"""Grants as records: what a device asks for, what the store has of it, what a decision adds."""

from typing import Any, NamedTuple

import msgspec

from deviceflow.core.claims import Subject
from deviceflow.core.grant import State
from deviceflow.store.errors import RecordUnreadable
from deviceflow.store.families import Family
from deviceflow.store.records import RecordKind, check_fields, read_record
from deviceflow.store.shapes import Value


class GrantRequest(msgspec.Struct, frozen=True):
    """A device's request. `requested_at` in s; `device`: a stored `DeviceDescription`.

    `scope` and `resources`: space separated; `code_challenge`: S256 (RFC 7636); `dpop_jkt`: the
    thumbprint of the key that the tokens will be bound to (RFC 9449).
    """

    client_id: str
    scope: str
    requested_at: int
    address: str
    device: str
    code_challenge: str = ""
    dpop_jkt: str = ""
    resources: str = ""


class Grant(GrantRequest, frozen=True, kw_only=True):
    """One grant as the store knows it: the request, and what has become of it. Times in s.

    `approved_at`: by the store's clock; None if it is not approved, or by an older version.
    `language`: the tag of the page on which it was approved; empty if that is not known.
    """

    id: int
    state: State
    expires_at: int
    claimed_by: str | None = None
    approval: Subject | None = None
    approved_at: float | None = None
    language: str = ""


class DecisionPage(NamedTuple):
    """The page on which a person decides: for which `address`, and in which `language` (a tag)."""

    address: str = ""
    language: str = ""


NO_PAGE = DecisionPage()


class GrantCodes(NamedTuple):
    """A new grant's codes; the user code without separators. `log_id`: see `Grants.log_id`."""

    device_code: str
    user_code: str
    log_id: str


class Redemption(NamedTuple):
    """The family of refresh tokens that begins with a redemption."""

    family: Family
    token_hash: str
    idle_until_ms: int


class RepeatableRedemption(NamedTuple):
    """What a repetition of a redemption needs, kept for `kept_ms`."""

    record: bytes
    kept_ms: int


class RecentDecision(NamedTuple):
    """A grant that was decided, and when its decision was last noted (s)."""

    at: float
    grant: Grant


# One field for each value, all short: a hash whose values have at most 64 bytes is stored
# compactly, in two thirds of the memory (docs/decisions/0007).
_FIELDS = {
    "client": "client_id",
    "scope": "scope",
    "at": "requested_at",
    "from": "address",
    "agent": "device",
    "challenge": "code_challenge",
    "jkt": "dpop_jkt",
    "resources": "resources",
}


def request_fields(request: GrantRequest) -> dict[str, Value]:
    """Return the fields of a new grant, as the scripts store them; an empty value has none."""
    values = {field: getattr(request, name) for field, name in _FIELDS.items()}
    return {field: value for field, value in values.items() if value}


def read_grant(grant_id: int, stored: dict[bytes, bytes]) -> Grant:
    """Return the grant in a hash. May raise RecordUnreadable."""
    check_fields(stored, RecordKind.GRANT)
    try:
        return _grant_of_fields(grant_id, stored)
    except (KeyError, ValueError, OverflowError) as error:
        raise RecordUnreadable(f"a grant cannot be read: {error!r}") from error


def _grant_of_fields(grant_id: int, stored: dict[bytes, bytes]) -> Grant:
    fields = {name.decode(): value.decode() for name, value in stored.items()}
    request: dict[str, Any] = {name: fields.get(field, "") for field, name in _FIELDS.items()}
    request["requested_at"] = int(request["requested_at"])
    approval = fields.get("approval")
    approved = fields.get("approved")
    return Grant(
        **request,
        id=grant_id,
        state=State(fields["state"]),
        expires_at=int(fields["expires"]),
        claimed_by=fields.get("account"),
        approval=read_record(approval.encode(), RecordKind.APPROVAL, Subject) if approval else None,
        approved_at=int(approved) / 1000 if approved else None,
        language=fields.get("language", ""),
    )
