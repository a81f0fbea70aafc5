"""What goes over the wire as JSON, one Struct a message (field names are the RFCs')."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from deviceflow.core.base64url import DIGEST_PATTERN

DEVICE_CODE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
"""RFC 8628 3.4: the grant type of a poll."""

GRANT_TYPES = (DEVICE_CODE_GRANT, "refresh_token")
REGISTERED_METHODS = ("none", "client_secret_basic", "client_secret_post", "private_key_jwt")
"""The ways to authenticate that a client may register itself with."""

SCOPE = r"[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*"
"""RFC 6749 3.3: scope-tokens with one space between them."""

JWT = r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$"
THUMBPRINT = f"^{DIGEST_PATTERN}$"
"""A SHA-256 in base64url, as a thumbprint (RFC 7638) and an S256 challenge (RFC 7636) are."""


def _told(**schema: object) -> Meta:
    """What the OpenAPI document says of a member, though nothing is checked against it here."""
    return Meta(extra_json_schema=schema)


Text = Annotated[str, _told(minLength=1)]
Uri = Annotated[str, _told(format="uri")]
Scope = Annotated[str, _told(pattern=f"^{SCOPE}$")]
Scopes = Annotated[str, _told(pattern=f"^({SCOPE})?$")]
Seconds = Annotated[int, _told(minimum=1)]
Time = Annotated[int, _told(minimum=0, description="In s since 1970-01-01T00:00:00Z.")]
Names = Annotated[list[Text], _told(minItems=1, uniqueItems=True)]
GrantTypes = Annotated[
    list[Annotated[str, _told(enum=[*GRANT_TYPES])]],
    _told(contains={"const": DEVICE_CODE_GRANT}),
]
Jwt = Annotated[str, _told(pattern=JWT)]
Thumbprint = Annotated[str, _told(pattern=THUMBPRINT)]
ClientKeys = Annotated[
    dict[str, Any],
    _told(
        required=["keys"],
        properties={
            "keys": {
                "type": "array",
                "minItems": 1,
                "items": {"type": "object", "required": ["kty"]},
            }
        },
        description="Public keys (RFC 7517 5); a private one is refused.",
    ),
]
RegisteredMethod = Annotated[str, _told(enum=[*REGISTERED_METHODS])]
DisplayName = Annotated[
    str,
    _told(pattern=r"^[^\x00-\x20\x7f]([^\x00-\x1f\x7f]{0,98}[^\x00-\x20\x7f])?$"),
]
Yes = Annotated[bool, _told(const=True)]
No = Annotated[bool, _told(const=False)]


class DeviceAuthorizationResponse(msgspec.Struct, kw_only=True, omit_defaults=True):
    """RFC 8628 3.2. `expires_in` and `interval` in s."""

    device_code: Text
    user_code: Annotated[str, _told(pattern="^[A-Z0-9]+(-[A-Z0-9]+)*$")]
    verification_uri: Uri
    verification_uri_complete: Uri | None = None
    expires_in: Seconds
    interval: Seconds


class TokenResponse(msgspec.Struct, kw_only=True, omit_defaults=True):
    """RFC 6749 5.1, OpenID Connect Core 3.1.3.3. `expires_in` in s."""

    access_token: Text
    token_type: Literal["Bearer", "DPoP"]
    expires_in: Seconds
    scope: Scope = ""
    refresh_token: Text | None = None
    id_token: Jwt | None = None


class ErrorResponse(msgspec.Struct, kw_only=True, omit_defaults=True):
    """RFC 6749 5.2. `interval` (s) comes with a grant's slow_down: the one now in force."""

    error: Text
    error_description: Annotated[str, _told(pattern=r"^[\x20\x21\x23-\x5b\x5d-\x7e]+$")] = ""
    interval: Seconds = 0


class Confirmation(msgspec.Struct, kw_only=True):
    """RFC 7800 3.1, RFC 9449 6.1: the thumbprint of the key that a token is bound to."""

    jkt: Thumbprint


class InactiveTokenResponse(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """RFC 7662 2.2: nothing is said about a token that is not active."""

    active: No


class ActiveTokenResponse(msgspec.Struct, kw_only=True, omit_defaults=True):
    """RFC 7662 2.2; RFC 9470 6.2 for `acr`. A refresh token has the required members only."""

    active: Yes
    client_id: Text
    sub: Text
    iss: Uri
    exp: Time
    scope: Scopes
    username: Text | None = None
    aud: Text | Names | None = None
    jti: Text | None = None
    iat: Time | None = None
    auth_time: Time | None = None
    acr: Text | None = None
    amr: Names | None = None
    cnf: Confirmation | None = None
    token_type: Literal["Bearer", "DPoP"] | None = None


class UserinfoResponse(msgspec.Struct, kw_only=True, omit_defaults=True):
    """OpenID Connect Core 5.3.2: who approved, as far as the scope allows (5.4)."""

    sub: Text
    preferred_username: Text | None = None
    name: Text | None = None
    email: Text | None = None


class PublicKey(msgspec.Struct, kw_only=True, omit_defaults=True):
    """RFC 7517 4, RFC 7518 6: a key that this server signs with. Never a private member."""

    kty: Literal["EC", "OKP", "RSA"]
    kid: Text
    use: Literal["sig"]
    alg: Literal["ES256", "Ed25519", "RS256"]
    crv: Text | None = None
    x: Text | None = None
    y: Text | None = None
    n: Text | None = None
    e: Text | None = None


class PublicKeySet(msgspec.Struct, kw_only=True):
    """RFC 7517 5."""

    keys: Annotated[list[PublicKey], _told(minItems=1)]


class ServerMetadata(msgspec.Struct, kw_only=True, omit_defaults=True):
    """RFC 8414 2 and OpenID Connect Discovery 3, the members that this server has.

    `device_poll_max_wait`, an extension: the s that `Prefer: wait` may ask of a poll.
    """

    issuer: Uri
    device_authorization_endpoint: Uri
    token_endpoint: Uri
    revocation_endpoint: Uri
    introspection_endpoint: Uri
    userinfo_endpoint: Uri
    jwks_uri: Uri
    registration_endpoint: Uri | None = None
    grant_types_supported: Names
    response_types_supported: Names
    scopes_supported: Annotated[list[Scope], _told(minItems=1, uniqueItems=True)] | None = None
    token_endpoint_auth_methods_supported: Names
    token_endpoint_auth_signing_alg_values_supported: Names | None = None
    revocation_endpoint_auth_methods_supported: Names
    revocation_endpoint_auth_signing_alg_values_supported: Names | None = None
    introspection_endpoint_auth_methods_supported: Names | None = None
    introspection_endpoint_auth_signing_alg_values_supported: Names | None = None
    introspection_signing_alg_values_supported: Names
    code_challenge_methods_supported: Names
    dpop_signing_alg_values_supported: Names
    subject_types_supported: Names
    id_token_signing_alg_values_supported: Names
    claims_supported: Names
    device_poll_max_wait: Seconds = 0


class RegistrationRequest(msgspec.Struct, kw_only=True):
    """RFC 7591 2, the metadata that means something to this server; the rest is ignored."""

    client_name: DisplayName | None = None
    scope: Scopes | None = None
    grant_types: GrantTypes | None = None
    token_endpoint_auth_method: RegisteredMethod | None = None
    application_type: str | None = None
    jwks: ClientKeys | None = None
    jwks_uri: Annotated[Any, _told(type="null", description="Not supported: send jwks.")] = None
    dpop_bound_access_tokens: bool = False
    client_id: str | None = None
    client_secret: str | None = None


class RegistrationResponse(msgspec.Struct, kw_only=True, omit_defaults=True):
    """RFC 7591 3.2.1, RFC 7592 3. `client_secret_expires_at` 0 means never."""

    client_id: Text
    client_name: DisplayName
    scope: Scopes
    grant_types: GrantTypes
    token_endpoint_auth_method: RegisteredMethod
    registration_client_uri: Uri
    registration_access_token: Text | None = None
    client_secret: Text | None = None
    client_secret_expires_at: Time | None = None
    jwks: ClientKeys | None = None
    dpop_bound_access_tokens: bool = False
