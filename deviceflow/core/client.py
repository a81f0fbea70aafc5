"""Clients (RFC 6749 section 2): the applications whose devices may start a grant."""

from collections.abc import Collection
from hashlib import sha256
from typing import Any, Literal

import msgspec

from deviceflow.core.assurance import SignInMinimum
from deviceflow.core.client_methods import (
    CLIENT_METHODS,
    PUBLIC,
    PUBLIC_KEYS,
    AuthMethod,
    ClientMethod,
)
from deviceflow.core.client_values import (
    ApprovalsPerHour,
    Audience,
    ClientId,
    ClientNetwork,
    DisplayName,
    ImagePath,
    Interval,
    Lifetime,
    Limit,
    Resource,
    ScopeToken,
    SecretDigest,
    SignInAge,
    SubjectName,
    WebPage,
)
from deviceflow.core.display_text import repaired
from deviceflow.core.holding import HoldSeconds
from deviceflow.core.proximity import Distance, FarAnswer
from deviceflow.core.signing_key import SigningAlgorithm
from deviceflow.core.user_code import UserCodeFormat

UNNAMED = "Unnamed application"
"""What people read of a client without a name: an id would mean nothing to them (RFC 7591 2).

Any number of clients may have no name.
"""

OFFLINE_ACCESS = "offline_access"
"""OpenID Connect Core 11: the scope that asks for a refresh token."""

MAX_OPTIONAL_SCOPES = 32
"""Each is a field of a form, and a form has at most `core.form.MAX_FIELDS` of them."""


class Client(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One registered application. For a field that is None the server's own setting holds.

    A record leaves out defaults: a release before reads it as long as no field is set that it does
    not know (docs/decisions/0025).

    `name`: what people read when they decide. `publisher`: who makes it. `client_uri`,
    `policy_uri`, `tos_uri`: pages about it, in the words of RFC 7591 2. `logo`: a file, read only
    for clients of the settings. `scopes`: all scopes that it may ask for.
    `optional_scopes`: those of them that the person may leave out (RFC 6749 3.3).
    `secret_sha256`: hexadecimal digests; two of them while a secret is being changed.
    `lifetime_s`, `interval_s`, `user_code`: those of its grants, in place of the server's.
    `hold_s`: how long its polls are held that do not ask (`core/holding.py`).
    `refresh_token`: always, never, or (None) only with the scope `offline_access`.
    `device`: whether it may use the device authorization grant. `start_networks`: where its devices
    may start from, `approval_networks`: where people may approve from; anywhere without any.
    `near`: how far a device may be from the person, and `if_far`: what follows beyond that.
    `max_approvals_per_hour`: of one person. `verification_uri_complete`: False makes the person
    type the code (RFC 8628 5.4).
    `audience`: the `aud` of its access tokens where neither `resource` nor the scope decides it
    (RFC 9068 3). `resources`: what it may name in `resource` (RFC 8707). A client that may
    `introspect` (a resource server) and has either learns only of tokens for these.
    `token_format`: "jwt" or "opaque". `algorithm`: what signs its access and ID tokens.
    `jwks`: public keys that check its assertions (RFC 7523).
    `tls_client_auth_subject_dn`: the subject of its certificate (RFC 8705 2.1.2).
    `pkce`, `dpop`: whether the device must bind its code and tokens (RFC 7636, RFC 9449).
    `sign_in`: what a sign-in must prove at least before a person may approve its grants, and
    `max_sign_in_age_s` how old it may be.
    `starts`, `starts_per_network`, `starts_per_address`, `live_grants`: how many grants its devices
    may start, and have (`policy/admission.py`).
    `verified`: False where the name is only the client's own claim: it has registered itself.
    """

    client_id: ClientId
    name: DisplayName
    publisher: DisplayName | None = None
    client_uri: WebPage | None = None
    policy_uri: WebPage | None = None
    tos_uri: WebPage | None = None
    logo: ImagePath | None = None
    scopes: tuple[ScopeToken, ...] = ()
    optional_scopes: tuple[ScopeToken, ...] = ()
    auth_method: AuthMethod = PUBLIC
    secret_sha256: tuple[SecretDigest, ...] = ()
    lifetime_s: Lifetime | None = None
    interval_s: Interval | None = None
    hold_s: HoldSeconds | None = None
    user_code: UserCodeFormat | None = None
    refresh_token: bool | None = None
    enabled: bool = True
    device: bool | None = None
    start_networks: tuple[ClientNetwork, ...] = ()
    approval_networks: tuple[ClientNetwork, ...] = ()
    near: Distance | None = None
    if_far: FarAnswer | None = None
    max_approvals_per_hour: ApprovalsPerHour | None = None
    verification_uri_complete: bool | None = None
    audience: Audience | None = None
    resources: tuple[Resource, ...] = ()
    token_format: Literal["jwt", "opaque"] | None = None
    algorithm: SigningAlgorithm | None = None
    jwks: dict[str, Any] | None = None
    tls_client_auth_subject_dn: SubjectName | None = None
    pkce: Literal["optional", "required"] = "optional"
    dpop: Literal["optional", "required"] = "optional"
    introspect: bool = False
    sign_in: SignInMinimum | None = None
    max_sign_in_age_s: SignInAge | None = None
    verified: bool = True
    starts: Limit | None = None
    starts_per_network: Limit | None = None
    starts_per_address: Limit | None = None
    live_grants: Limit | None = None

    def __post_init__(self) -> None:
        """Keep the name in its normal form, and fit to be shown even in an old record."""
        if (name := repaired(self.name) or self.client_id) != self.name:
            msgspec.structs.force_setattr(self, "name", name)

    @property
    def method(self) -> ClientMethod:
        """The facts of its authentication method."""
        return CLIENT_METHODS[self.auth_method]

    @property
    def announced_methods(self) -> tuple[AuthMethod, ...]:
        """The methods of the registry (RFC 8414 2) that it may use."""
        return self.method.covers or (self.auth_method,)

    @property
    def restricts_grants(self) -> bool:
        """Whether it has a rule about its grants that no version may ignore."""
        return bool(
            self.sign_in
            or self.max_sign_in_age_s
            or self.device is not None
            or self.start_networks
            or self.approval_networks
            or self.max_approvals_per_hour
            or self.near
            or self.if_far
        )

    def uses_device_grant(self, *, by_default: bool) -> bool:
        """Return whether it may use the device authorization grant; `by_default`: the setting."""
        return by_default if self.device is None else self.device

    @property
    def is_public(self) -> bool:
        """Whether it names itself and proves nothing (RFC 6749 2.1)."""
        return self.auth_method == PUBLIC

    @property
    def lacks_credential(self) -> bool:
        """Whether it has nothing that its method could prove it by."""
        credential = self.method.credential
        if credential is None:
            return False
        return not (
            self.public_keys if credential is PUBLIC_KEYS else getattr(self, credential.field)
        )

    @property
    def public_keys(self) -> list[dict[str, Any]]:
        """The keys of `jwks` (RFC 7517 5)."""
        keys = (self.jwks or {}).get("keys", [])
        return [key for key in keys if isinstance(key, dict)] if isinstance(keys, list) else []

    @property
    def refresh_tokens_have_key(self) -> bool:
        """Whether its refresh tokens are bound to a DPoP key (RFC 9449 5).

        Those of a confidential client are bound by its authentication.
        """
        return self.is_public

    def gets_refresh_token(self, scope: str) -> bool:
        """Return whether a grant of `scope` has a refresh token, by today's policy."""
        if self.refresh_token is None:
            return OFFLINE_ACCESS in scope.split()
        return self.refresh_token

    def scopes_for(self, requested: str | None) -> tuple[str, ...] | None:
        """Choose the scopes of a grant for the parameter `scope`, or None for `invalid_scope`.

        RFC 6749 3.3: tokens with spaces between them; their order means nothing, and is kept.
        A parameter that is absent or empty asks for everything that the client may have.
        """
        if not requested:
            return tuple(dict.fromkeys(self.scopes))
        tokens = scope_tokens(requested)
        # Allowed scopes are scope-tokens. So text that is no token is not among them.
        return tokens if tokens and {*tokens} <= {*self.scopes} else None

    def refused_scopes(self, requested: str) -> list[str]:
        """Return the tokens of the parameter `scope` that the client may not have."""
        return [token for token in scope_tokens(requested) if token not in self.scopes]

    def optional_in(self, scope: str) -> tuple[str, ...]:
        """Return the part of a requested `scope` that the person may leave out."""
        return tuple(name for name in scope.split() if name in self.optional_scopes)

    def granted_scope(self, scope: str, chosen: Collection[str]) -> str:
        """Return the part of a requested `scope` that the person grants, in the same order.

        `chosen`: the optional scopes that the person wants. Whatever else is in it grants nothing,
        and a scope that is not optional is always granted.
        """
        left_out = {*self.optional_in(scope)} - {*chosen}
        return " ".join(name for name in scope.split() if name not in left_out)


def scope_tokens(scope: str) -> tuple[str, ...]:
    """Split the parameter `scope` (RFC 6749 3.3) at spaces, without repetitions.

    The grammar has one space between tokens. Programs that join lists send more of them, or some
    at the ends, and can only mean one thing.
    """
    return tuple(dict.fromkeys(token for token in scope.split(" ") if token))


def secret_digest(secret: str) -> str:
    """Return what is stored of a secret, or of a token as long and as random: a `SecretDigest`."""
    return sha256(secret.encode()).hexdigest()
