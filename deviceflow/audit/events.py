"""The closed list of security events, and the fields of a line.

docs/operations/audit.md has a row for each of them; a test holds the two together.
"""

from enum import StrEnum
from typing import Literal, TypedDict

import msgspec

from deviceflow.core.grant import Event

SuccessOrFailure = Literal["success", "failure"]

LONGEST_TEXT = 200
"""The longest text of a field. So a line fits into what a pipe takes at once (4,096 bytes)."""


TRIED_NAME = b"audit name"
"""The purpose of the keyed hashes of names that no account has."""


class SecurityEvent(StrEnum):
    """What can happen. A value is a thing and what became of it."""

    GRANT_STARTED = "grant.started"
    GRANT_APPROVED = "grant.approved"
    GRANT_DENIED = "grant.denied"
    GRANT_CANCELLED = "grant.cancelled"
    GRANT_REPORTED = "grant.reported"
    GRANT_CLAIMED_BY_ANOTHER = "grant.claimed_by_another"
    APPROVAL_REFUSED = "approval.refused"
    GRANT_REDEEMED = "grant.redeemed"
    GRANT_REFUSED = "grant.refused"

    REFRESH_TOKEN_REPLAYED = "refresh_token.replayed"  # noqa: S105, an event
    REFRESH_TOKEN_WRONG_KEY = "refresh_token.wrong_key"  # noqa: S105, an event
    TOKEN_REVOKED = "token.revoked"  # noqa: S105, an event
    DEVICE_DISCONNECTED = "device.disconnected"

    CODE_WRONG = "code.wrong"
    LIMIT_REFUSED = "limit.refused"

    SIGN_IN_SUCCEEDED = "sign_in.succeeded"
    SIGN_IN_FAILED = "sign_in.failed"
    SESSION_ENDED = "session.ended"
    STEP_UP_REQUIRED = "step_up.required"
    FACTOR_ADDED = "factor.added"
    FACTOR_REMOVED = "factor.removed"
    PASSWORD_CHANGED = "account.password_changed"  # noqa: S105, an event

    CLIENT_REFUSED = "client.refused"
    CLIENT_ADDED = "client.added"
    CLIENT_CHANGED = "client.changed"
    CLIENT_REMOVED = "client.removed"
    CLIENT_DISCONNECTED = "client.disconnected"
    CLIENT_GRANTS_CANCELLED = "client.grants_cancelled"

    ACCOUNT_ADDED = "account.added"
    ACCOUNT_CHANGED = "account.changed"
    ACCOUNT_REMOVED = "account.removed"

    KEYS_CHANGED = "keys.changed"
    STORE_EXPORTED = "store.exported"
    STORE_IMPORTED = "store.imported"
    STORE_MOVED = "store.moved"

    OPERATOR_SIGNED_IN = "operator.signed_in"
    OPERATOR_REFUSED = "operator.refused"
    OPERATOR_SIGNED_OUT = "operator.signed_out"

    SERVER_CHANGED = "server.changed"

    CHAIN_STARTED = "chain.started"
    CHAIN_ENDED = "chain.ended"
    LINES_LEFT_OUT = "audit.left_out"
    LINES_LOST = "audit.lost"


FLOODS = frozenset(
    {
        SecurityEvent.GRANT_STARTED,
        SecurityEvent.GRANT_REFUSED,
        SecurityEvent.APPROVAL_REFUSED,
        SecurityEvent.REFRESH_TOKEN_REPLAYED,
        SecurityEvent.REFRESH_TOKEN_WRONG_KEY,
        SecurityEvent.CODE_WRONG,
        SecurityEvent.LIMIT_REFUSED,
        SecurityEvent.SIGN_IN_FAILED,
        SecurityEvent.STEP_UP_REQUIRED,
        SecurityEvent.CLIENT_REFUSED,
        SecurityEvent.OPERATOR_REFUSED,
    }
)
"""What can be caused at will, without an account or by reloading. Only these are thinned."""


DECISION_EVENTS = {
    Event.APPROVE: SecurityEvent.GRANT_APPROVED,
    Event.DENY: SecurityEvent.GRANT_DENIED,
    Event.CANCEL: SecurityEvent.GRANT_CANCELLED,
}
"""The events of decisions, by what the person or the operator wanted."""


class Facts(TypedDict, total=False):
    """The fields that a room gives for an event; docs/operations/audit.md says what each means."""

    outcome: SuccessOrFailure
    reason: str
    way: str
    sub: str
    tried_name: str
    address: str
    grant: str
    grant_id: str
    client_id: str
    by: str
    subject: str
    limit: str
    number: int


class AuditLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line, without its hash. A field that says nothing is left out.

    `chain`, `sequence` and `previous` say where the line belongs; `audit/chain.py` has the rules.
    """

    time: str
    event: str
    outcome: SuccessOrFailure = "success"
    reason: str = ""
    way: str = ""
    sub: str = ""
    tried_name: str = ""
    address: str = ""
    grant: str = ""
    grant_id: str = ""
    client_id: str = ""
    by: str = ""
    subject: str = ""
    limit: str = ""
    number: int = 0
    request_id: str = ""
    of: str = ""
    left_out: int = 0
    lost: int = 0
    sink: str = ""
    follows: str = ""
    version: str = ""
    process: str = ""
    host: str = ""
    chain: str = ""
    sequence: int = 0
    previous: str = ""


def by_token(name: str) -> str:
    """Say that the operator whose token has that name did something."""
    return f"token:{name}"


def by_user(name: str) -> str:
    """Say that a user of the system did something, by a command."""
    return f"os:{name}"
