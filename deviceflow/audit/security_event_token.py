"""Which lines of the audit other services are told of, as security event tokens (RFC 8417).

The kinds of events are those of the OpenID Foundation: CAEP 1.0 for sessions and credentials, and
RISC 1.0 for accounts. A token names its subject by issuer and `sub` (RFC 9493).
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from deviceflow.audit.events import AuditLine, SecurityEvent
from deviceflow.core import base64url

TOKEN_TYPE = "secevent+jwt"  # noqa: S105, the `typ` of the header (RFC 8417 2.3)

_CAEP = "https://schemas.openid.net/secevent/caep/event-type/"
_RISC = "https://schemas.openid.net/secevent/risc/event-type/"

SESSION_REVOKED = f"{_CAEP}session-revoked"
CREDENTIAL_CHANGE = f"{_CAEP}credential-change"
ACCOUNT_DISABLED = f"{_RISC}account-disabled"
ACCOUNT_ENABLED = f"{_RISC}account-enabled"
ACCOUNT_PURGED = f"{_RISC}account-purged"

TOLD_EVENTS = frozenset(
    {
        SecurityEvent.DEVICE_DISCONNECTED,
        SecurityEvent.TOKEN_REVOKED,
        SecurityEvent.REFRESH_TOKEN_REPLAYED,
        SecurityEvent.SESSION_ENDED,
        SecurityEvent.PASSWORD_CHANGED,
        SecurityEvent.FACTOR_ADDED,
        SecurityEvent.FACTOR_REMOVED,
        SecurityEvent.ACCOUNT_CHANGED,
        SecurityEvent.ACCOUNT_REMOVED,
    }
)
"""The events of the audit that can become a token."""

_SESSION_EVENTS = frozenset(
    {
        SecurityEvent.DEVICE_DISCONNECTED,
        SecurityEvent.TOKEN_REVOKED,
        SecurityEvent.REFRESH_TOKEN_REPLAYED,
        SecurityEvent.SESSION_ENDED,
    }
)
_CHANGES = {
    SecurityEvent.PASSWORD_CHANGED: "update",
    SecurityEvent.FACTOR_ADDED: "create",
    SecurityEvent.FACTOR_REMOVED: "delete",
}
_ACCOUNT_EVENTS = {"disabled": ACCOUNT_DISABLED, "enabled": ACCOUNT_ENABLED}


def security_event_claims(line: AuditLine, issuer: str, audience: str) -> dict[str, Any] | None:
    """Return the claims of the token about `line`; None if there is nobody to tell of it.

    The same line always has the same `jti`, so a receiver that gets it twice can tell.
    """
    event = _event(line)
    if event is None or not line.sub:
        return None
    event_type, details = event
    happened_at = int(datetime.fromisoformat(line.time).timestamp())
    claims = {
        "iss": issuer,
        "aud": audience,
        "iat": happened_at,
        "jti": _token_id(line),
        "sub_id": _subject(line, issuer),
        "events": {
            event_type: {
                "event_timestamp": happened_at,
                "initiating_entity": _initiating_entity(line),
                **details,
            }
        },
    }
    return claims | ({"txn": line.request_id} if line.request_id else {})


def _event(line: AuditLine) -> tuple[str, Mapping[str, Any]] | None:
    if line.event in _SESSION_EVENTS:
        return SESSION_REVOKED, {}
    if change := _CHANGES.get(SecurityEvent(line.event)):
        is_password = line.event == SecurityEvent.PASSWORD_CHANGED
        credential = "password" if is_password else line.subject.replace("_", "-")
        return CREDENTIAL_CHANGE, {"credential_type": credential, "change_type": change}
    if line.event == SecurityEvent.ACCOUNT_REMOVED:
        return ACCOUNT_PURGED, {}
    account_event = _ACCOUNT_EVENTS.get(line.reason)
    return (account_event, {}) if account_event else None


def _subject(line: AuditLine, issuer: str) -> dict[str, Any]:
    """Name the person, and for one device also the session that its tokens share (RFC 9493)."""
    person = {"format": "iss_sub", "iss": issuer, "sub": line.sub}
    if not line.grant_id:
        return person
    parts: dict[str, Any] = {"session": line.grant_id, "application": line.client_id}
    named = {name: {"format": "opaque", "id": value} for name, value in parts.items() if value}
    return {"format": "complex", "user": person, **named}


def _initiating_entity(line: AuditLine) -> str:
    if line.by:
        return "admin"
    return "policy" if line.event == SecurityEvent.REFRESH_TOKEN_REPLAYED else "user"


def _token_id(line: AuditLine) -> str:
    place = f"{line.chain}/{line.sequence}".encode()
    return base64url.encode(hashlib.sha256(place).digest()[:18])
