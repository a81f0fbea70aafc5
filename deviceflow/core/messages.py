"""What goes over the wire as JSON, one Struct a message (field names are the RFCs')."""

import msgspec

DEVICE_CODE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
"""RFC 8628 3.4: the grant type of a poll."""


class DeviceAuthorizationResponse(msgspec.Struct, kw_only=True, omit_defaults=True):
    """RFC 8628 3.2. `expires_in` and `interval` in s."""

    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str | None = None
    expires_in: int
    interval: int


class TokenResponse(msgspec.Struct, kw_only=True, omit_defaults=True):
    """RFC 6749 5.1, OpenID Connect Core 3.1.3.3. `expires_in` in s."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str = ""
    refresh_token: str | None = None
    id_token: str | None = None


class ErrorResponse(msgspec.Struct, kw_only=True, omit_defaults=True):
    """RFC 6749 5.2. `interval` (s) comes with slow_down: the one now in force."""

    error: str
    error_description: str = ""
    interval: int = 0


class ServerMetadata(msgspec.Struct, kw_only=True, omit_defaults=True):
    """RFC 8414 2 and OpenID Connect Discovery 3, the members that this server has.

    `device_poll_max_wait`, an extension: the s that `Prefer: wait` may ask of a poll.
    """

    issuer: str
    device_authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    grant_types_supported: list[str]
    response_types_supported: list[str]
    scopes_supported: list[str]
    token_endpoint_auth_methods_supported: list[str]
    subject_types_supported: list[str]
    id_token_signing_alg_values_supported: list[str]
    claims_supported: list[str]
    device_poll_max_wait: int = 0
