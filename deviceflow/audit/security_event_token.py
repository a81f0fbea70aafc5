"""Which lines of the audit other services receive, as security event tokens (RFC 8417).

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

_TYPES: Mapping[str, str] = {
    SecurityEvent.DEVICE_DISCONNECTED: SESSION_REVOKED,
    SecurityEvent.TOKEN_REVOKED: SESSION_REVOKED,
    SecurityEvent.REFRESH_TOKEN_REPLAYED: SESSION_REVOKED,
    SecurityEvent.SESSION_ENDED: SESSION_REVOKED,
    SecurityEvent.PASSWORD_CHANGED: CREDENTIAL_CHANGE,
    SecurityEvent.FACTOR_ADDED: CREDENTIAL_CHANGE,
    SecurityEvent.FACTOR_REMOVED: CREDENTIAL_CHANGE,
    SecurityEvent.ACCOUNT_REMOVED: ACCOUNT_PURGED,
}
_ACCOUNT_CHANGES = {"disabled": ACCOUNT_DISABLED, "enabled": ACCOUNT_ENABLED}
_CREDENTIAL_CHANGES: Mapping[str, str] = {
    SecurityEvent.PASSWORD_CHANGED: "update",
    SecurityEvent.FACTOR_ADDED: "create",
    SecurityEvent.FACTOR_REMOVED: "delete",
}

TOLD_EVENTS = frozenset(map(SecurityEvent, _TYPES)) | {SecurityEvent.ACCOUNT_CHANGED}
"""The events of the audit that can become a token."""


def security_event_claims(line: AuditLine, issuer: str, audience: str) -> dict[str, Any] | None:
    """Return the claims of the token about `line`; None if it becomes no token.

    The same line always has the same `jti`, so a receiver that gets it twice can tell.
    """
    event_type = _event_type(line)
    if event_type is None or not line.sub:
        return None
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
                **_credential(line),
            }
        },
    }
    return claims | ({"txn": line.request_id} if line.request_id else {})


def _event_type(line: AuditLine) -> str | None:
    if line.event == SecurityEvent.ACCOUNT_CHANGED:
        return _ACCOUNT_CHANGES.get(line.reason)
    return _TYPES.get(line.event)


def _credential(line: AuditLine) -> Mapping[str, str]:
    """Say what changed of which credential (CAEP 1.0 3.3); nothing if none did."""
    change = _CREDENTIAL_CHANGES.get(line.event)
    if change is None:
        return {}
    is_password = line.event == SecurityEvent.PASSWORD_CHANGED
    credential = "password" if is_password else line.subject.replace("_", "-")
    return {"credential_type": credential, "change_type": change}


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
