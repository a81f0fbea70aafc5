"""The JSON messages of the API, one Struct each. Names are the RFCs', times are s since 1970."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from deviceflow.config.values import Email, SubjectIdentifier
from deviceflow.core.client_values import DisplayName

Locale = Annotated[str, Meta(pattern=r"\A([A-Za-z]{1,8}(-[A-Za-z0-9]{1,8}){0,7})?\Z")]
UserCode = Annotated[str, Meta(min_length=1, max_length=256)]
ScopeText = Annotated[str, Meta(pattern=r"\A[\x20\x21\x23-\x5b\x5d-\x7e]{0,2000}\Z")]
AuthenticationMethod = Annotated[str, Meta(pattern=r"\A[\x21-\x7e]{1,64}\Z")]
AuthenticationClass = Annotated[str, Meta(pattern=r"\A[\x21-\x7e]{1,255}\Z")]


class Request(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The base of all requests: a member with a typing mistake is refused, not ignored."""


class FindRequest(Request, kw_only=True):
    """`user_code`: as a person types it (RFC 8628 6.1)."""

    user_code: UserCode


class ApproveRequest(Request, kw_only=True):
    """The person that approves, by the claims of OpenID Connect Core 5.1 and RFC 7662 2.2.

    `scope`: what the person grants, a part of what the device requested; without it, all of that.
    `auth_time`: when the person signed in; without it, now. `locale`: the language of the notice.
    """

    sub: SubjectIdentifier
    username: DisplayName
    name: DisplayName | None = None
    email: Email | None = None
    amr: Annotated[tuple[AuthenticationMethod, ...], Meta(max_length=16)] = ()
    acr: AuthenticationClass | None = None
    auth_time: Annotated[int, Meta(ge=0, le=4_102_444_800)] | None = None
    scope: ScopeText = ""
    locale: Locale = ""


class DenyRequest(Request, kw_only=True):
    """The person that denies."""

    sub: SubjectIdentifier


class ApiMessage(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The base of all responses: a member that has no value is left out."""


class AuditEvents(ApiMessage, kw_only=True):
    """The newest security events, as the members of their lines (docs/operations/audit.md).

    `source`: "file" for those of this host, "worker" for those of the worker that answers.
    """

    events: list[dict[str, str | int]]
    source: Literal["file", "worker"]


class ClientSummary(ApiMessage, kw_only=True):
    """The client of a grant. `verified`: whether an operator vouches for the name."""

    client_id: str
    name: str
    verified: bool


class Approval(ApiMessage, kw_only=True):
    """Who approved a grant, and when."""

    sub: str
    username: str
    approved_at: int | None = None


class GrantResponse(ApiMessage, kw_only=True):
    """A grant, without its codes.

    `id` names it in this API, `log_id` in the log. `state`: that of the store, or `expired`.
    `claimed_by`: the only account that may decide. `address`: where the request came from.
    """

    id: str
    log_id: str
    state: str
    client: ClientSummary
    scope: str
    requested_at: int
    expires_at: int
    address: str = ""
    device: str = ""
    claimed_by: str | None = None
    approval: Approval | None = None


class DecisionResponse(ApiMessage, kw_only=True):
    """A decision or redemption, and what the grant is now. `at`: when it was noted."""

    at: int
    grant: GrantResponse


class DecisionList(ApiMessage, kw_only=True):
    """The newest decisions, the newest first."""

    decisions: list[DecisionResponse]


class ClientResponse(ApiMessage, kw_only=True):
    """A client, by the names of its settings, without its secrets and keys."""

    client_id: str
    name: str
    enabled: bool
    verified: bool
    auth_method: str
    scopes: tuple[str, ...]
    lifetime_s: int | None = None
    interval_s: int | None = None
    hold_s: int | None = None
    audience: str | None = None
    resources: tuple[str, ...] = ()
    token_format: str | None = None
    pkce: str
    dpop: str
    introspect: bool


class ClientList(ApiMessage, kw_only=True):
    """A page of clients, by client_id. `after`: to ask for the next page with; none at the end."""

    clients: list[ClientResponse]
    total: int
    after: str | None = None


class RevokedClient(ApiMessage, kw_only=True):
    """A client of which everything was ended that was approved before."""

    client_id: str


class CancelledClient(ApiMessage, kw_only=True):
    """A client of which every grant was cancelled that had no tokens yet."""

    client_id: str


class PersonResponse(ApiMessage, kw_only=True):
    """A user. `sub`: what names the person in this API and in tokens."""

    sub: str
    username: str
    name: str | None = None
    email: str | None = None
    disabled: bool


class DeviceResponse(ApiMessage, kw_only=True):
    """A device that a person has connected.

    `id`: the `grant_id` of its tokens. `name`: what the person calls it; `device`: what it calls
    itself. `has_tokens`: whether it has redeemed its code.
    """

    id: str
    client_id: str
    scope: str
    name: str = ""
    device: str = ""
    address: str = ""
    approved_at: int
    used_at: int
    ends_at: int
    has_tokens: bool


class DeviceList(ApiMessage, kw_only=True):
    """A page of devices, the newest first. `total`: on all pages."""

    devices: list[DeviceResponse]
    page: int
    total: int
    is_last: bool


class Disconnected(ApiMessage, kw_only=True):
    """How many devices had access until now."""

    disconnected: int


class EndedSessions(ApiMessage, kw_only=True):
    """How many sessions there were until now."""

    ended: int


class FleetResponse(ApiMessage, kw_only=True):
    """What this host does now. Rates are per second, of the last `seconds`; parts are of 1.

    `grants_*` are over all hosts, `store` is what the workers of this host see of it.
    """

    at: int
    seconds: float
    grants_pending: int
    grants_live: int
    grants_started: float
    approved: float
    denied: float
    cancelled: float
    redeemed: float
    polls: float
    polls_by_outcome: dict[str, float]
    slow_down_part: float | None = None
    lane_part: float | None = None
    interval_s: float
    usual_interval_s: float
    held: int
    held_limit: int
    connections: int
    workers: int
    store: Literal["reachable", "pressed", "refuses writes", "away"]


class Problem(ApiMessage, kw_only=True):
    """RFC 9457 3. `error` says the same as `title`, for programs."""

    type: str
    title: str
    status: int
    detail: str
    error: str
    state: str = ""
