"""The JSON messages that the code makes or reads, one Struct each; the names are the RFCs'.

What is true of a member beyond its type is written in oauth/openapi/openapi.json.
"""

from typing import Any, Literal

import msgspec

DEVICE_CODE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
"""RFC 8628 3.4: the grant type of a poll."""

GRANT_TYPES = (DEVICE_CODE_GRANT, "refresh_token")


class DeviceAuthorizationResponse(msgspec.Struct, kw_only=True, omit_defaults=True):
    """RFC 8628 3.2. `expires_in` and `interval` are in seconds."""

    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str | None = None
    expires_in: int
    interval: int


class TokenResponse(msgspec.Struct, kw_only=True, omit_defaults=True):
    """RFC 6749 5.1, OpenID Connect Core 3.1.3.3. `expires_in` is in seconds."""

    access_token: str
    token_type: Literal["Bearer", "DPoP"]
    expires_in: int
    scope: str = ""
    refresh_token: str | None = None
    id_token: str | None = None


class ErrorResponse(msgspec.Struct, kw_only=True, omit_defaults=True):
    """RFC 6749 5.2. `interval` comes with the slow_down of a grant, in seconds."""

    error: str
    error_description: str = ""
    interval: int = 0


class ConfirmationClaim(msgspec.Struct, kw_only=True):
    """RFC 7800 3.1, RFC 9449 6.1: the thumbprint of the key to which a token is bound."""

    jkt: str


class InactiveTokenResponse(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """RFC 7662 2.2: a token that is not active has no other member."""

    active: bool


class ActiveTokenResponse(msgspec.Struct, kw_only=True, omit_defaults=True):
    """RFC 7662 2.2; RFC 9470 6.2 for `acr`. A refresh token has only the required members."""

    active: bool
    client_id: str
    sub: str
    iss: str
    exp: int
    scope: str
    username: str | None = None
    aud: str | list[str] | None = None
    jti: str | None = None
    iat: int | None = None
    auth_time: int | None = None
    acr: str | None = None
    amr: list[str] | None = None
    cnf: ConfirmationClaim | None = None
    token_type: Literal["Bearer", "DPoP"] | None = None


class ServerMetadata(msgspec.Struct, kw_only=True, omit_defaults=True):
    """RFC 8414 2 and OpenID Connect Discovery 3: the members that this server has.

    Two are extensions. `device_poll_max_wait`: the most seconds for which a poll may ask to be
    held; `device_poll_hold`: those for which it may be held without asking, unless its client has
    a value of its own.
    """

    issuer: str
    authorization_endpoint: str | None = None
    device_authorization_endpoint: str
    token_endpoint: str
    revocation_endpoint: str
    introspection_endpoint: str
    userinfo_endpoint: str
    jwks_uri: str
    registration_endpoint: str | None = None
    grant_types_supported: list[str]
    response_types_supported: list[str]
    scopes_supported: list[str] | None = None
    token_endpoint_auth_methods_supported: list[str]
    token_endpoint_auth_signing_alg_values_supported: list[str] | None = None
    revocation_endpoint_auth_methods_supported: list[str]
    revocation_endpoint_auth_signing_alg_values_supported: list[str] | None = None
    introspection_endpoint_auth_methods_supported: list[str] | None = None
    introspection_endpoint_auth_signing_alg_values_supported: list[str] | None = None
    introspection_signing_alg_values_supported: list[str]
    code_challenge_methods_supported: list[str]
    dpop_signing_alg_values_supported: list[str]
    subject_types_supported: list[str]
    id_token_signing_alg_values_supported: list[str]
    claims_supported: list[str]
    acr_values_supported: list[str] | None = None
    ui_locales_supported: list[str] | None = None
    device_poll_max_wait: int = 0
    device_poll_hold: int = 0


class RegistrationRequest(msgspec.Struct, kw_only=True):
    """The metadata that this server reads (RFC 7591 2, OpenID Connect Registration 2).

    It ignores the rest.
    """

    client_name: str | None = None
    client_uri: Any = None
    policy_uri: Any = None
    tos_uri: Any = None
    scope: str | None = None
    grant_types: list[str] | None = None
    token_endpoint_auth_method: str | None = None
    application_type: str | None = None
    jwks: dict[str, Any] | None = None
    jwks_uri: Any = None
    dpop_bound_access_tokens: bool = False
    id_token_signed_response_alg: str | None = None
    client_id: str | None = None
    client_secret: str | None = None


class RegistrationResponse(msgspec.Struct, kw_only=True, omit_defaults=True):
    """RFC 7591 3.2.1, RFC 7592 3. `client_secret_expires_at` 0 means never."""

    client_id: str
    client_name: str
    client_uri: str | None = None
    policy_uri: str | None = None
    tos_uri: str | None = None
    scope: str
    grant_types: list[str]
    token_endpoint_auth_method: str
    id_token_signed_response_alg: str
    registration_client_uri: str
    registration_access_token: str | None = None
    client_secret: str | None = None
    client_secret_expires_at: int | None = None
    jwks: dict[str, Any] | None = None
    dpop_bound_access_tokens: bool = False
