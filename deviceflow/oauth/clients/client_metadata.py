"""From client metadata (RFC 7591 2) to the client that is stored.

1. A client that registers gets what it asks for, within the settings.
2. One that changes its registration may change its name and its keys, and may narrow: fewer
   scopes, no refresh tokens, DPoP, a stronger authentication. Whatever would widen stays as it
   is, for it may be the operator who narrowed it; the answer tells what is in force (RFC 7591
   3.2.1, RFC 7592 2.2: the server may replace values).
3. Everything else is the operator's, above all `enabled`, and stays.
4. The client is held to the rules for one of the file.
"""

import re
import secrets
from typing import Any, NamedTuple

import msgspec

from deviceflow.config import ConfigError, Settings, read_client
from deviceflow.core.client import SECRET_METHODS, Client, secret_digest
from deviceflow.core.errors import OAuthError
from deviceflow.core.messages import (
    DEVICE_CODE_GRANT,
    GRANT_TYPES,
    REGISTERED_METHODS,
    RegistrationRequest,
)
from deviceflow.signing import is_public_jwk

DEFAULT_METHOD = "client_secret_basic"
"""RFC 7591 2. What is left out, or null, has its default; an empty value is an error."""

UNNAMED = "Unnamed application"
"""For people, where client_name is left out: an id would tell them nothing (RFC 7591 2)."""

STRENGTH = {
    "none": 0,
    **dict.fromkeys(SECRET_METHODS, 1),
    "private_key_jwt": 2,
    "tls_client_auth": 3,
}
"""Of what proves a client; only the operator chooses the strongest, and so takes it away."""

WRONG = {
    "name": "client_name is not fit for people to read.",
    "jwks": "jwks has to hold public keys.",
}
"""What is said of a field that breaks a rule; the rule's own words would repeat its value."""


class RegisteredClient(NamedTuple):
    """A client as it is to be stored, and its new secret if it gets one."""

    client: Client
    secret: str | None


def registered(
    client_id: str, wanted: RegistrationRequest, before: Client | None, settings: Settings
) -> RegisteredClient:
    """Make the client that `wanted` describes, or change the one `before`. Raises OAuthError."""
    if wanted.jwks_uri is not None:
        # Ignored, it would leave the client with keys that it believes replaced.
        raise invalid_metadata("jwks_uri is not supported: send the keys themselves, as jwks.")
    method = _method(wanted, before)
    scopes = _scopes(wanted, before, settings)
    secret, digests = _secret(method, before)
    bound = wanted.dpop_bound_access_tokens or (before and before.dpop == "required")
    proposal = {
        "client_id": client_id,
        "name": UNNAMED if wanted.client_name is None else wanted.client_name,
        "scopes": scopes,
        "auth_method": method,
        "secret_sha256": digests,
        "jwks": _jwks(wanted, method, before),
        "dpop": "required" if bound else "optional",
        "refresh_token": _refreshes(wanted) and (before.refresh_token if before else None),
        "resources": _resources(scopes, before, settings),
    }
    kept: dict[str, Any] = msgspec.to_builtins(before) if before else {}
    fields = {name: value for name, value in (kept | proposal).items() if value is not None}
    try:
        return RegisteredClient(read_client(fields, settings), secret)
    except ConfigError as error:
        raise invalid_metadata(_description(error)) from None


def invalid_metadata(description: str) -> OAuthError:
    """RFC 7591 3.2.2."""
    return OAuthError("invalid_client_metadata", description)


def _method(wanted: RegistrationRequest, before: Client | None) -> str:
    method = wanted.token_endpoint_auth_method
    method = DEFAULT_METHOD if method is None else method
    if method not in REGISTERED_METHODS and (before is None or method != before.auth_method):
        raise invalid_metadata("That token_endpoint_auth_method is not offered.")
    if wanted.application_type == "native" and method in SECRET_METHODS:
        # RFC 6749 10.1: what every copy of an application holds is no secret.
        raise invalid_metadata("A native application gets no secret; use none.")
    if method == "private_key_jwt" and wanted.jwks is None:
        raise invalid_metadata(WRONG["jwks"])
    weaker = before is not None and STRENGTH[method] < STRENGTH[before.auth_method]
    return before.auth_method if before and weaker else method


def _secret(method: str, before: Client | None) -> tuple[str | None, list[str]]:
    """A new secret where one is needed and missing, and the digests to keep."""
    if method not in SECRET_METHODS:
        return None, []
    if before and before.secret_sha256:
        return None, list(before.secret_sha256)
    secret = secrets.token_urlsafe(32)
    return secret, [secret_digest(secret)]


def _scopes(wanted: RegistrationRequest, before: Client | None, settings: Settings) -> list[str]:
    offered = settings.registration.scopes
    held = before.scopes if before else offered
    asked = list(dict.fromkeys(wanted.scope.split(" "))) if wanted.scope else list(held)
    if not {*asked} <= {*offered, *held}:
        raise invalid_metadata("A scope is not offered to registered clients.")
    return [scope for scope in asked if scope in held]


def _resources(scopes: list[str], before: Client | None, settings: Settings) -> list[str]:
    """Those to which its scopes belong, which the rules ask for, beside those that it has."""
    owners = {scope: one.resource for one in settings.resources for scope in one.scopes}
    held = before.resources if before else ()
    audience = before.audience if before else None
    owned = [owners[scope] for scope in scopes if owners.get(scope) not in {None, audience}]
    return list(dict.fromkeys([*held, *owned]))


def _jwks(wanted: RegistrationRequest, method: str, before: Client | None) -> dict[str, Any] | None:
    if wanted.jwks is None:
        return before.jwks if before and method == "private_key_jwt" else None
    keys = wanted.jwks.get("keys")
    if not isinstance(keys, list) or not keys:
        raise invalid_metadata(WRONG["jwks"])
    if not all(isinstance(key, dict) and is_public_jwk(key) for key in keys):
        raise invalid_metadata(WRONG["jwks"])
    return wanted.jwks


def _refreshes(wanted: RegistrationRequest) -> bool:
    grant_types = GRANT_TYPES if wanted.grant_types is None else wanted.grant_types
    if not {*grant_types} <= {*GRANT_TYPES}:
        raise invalid_metadata("This server offers device_code and refresh_token only.")
    if DEVICE_CODE_GRANT not in grant_types:
        raise invalid_metadata("A client of this server uses the device_code grant.")
    return "refresh_token" in grant_types


def _description(error: ConfigError) -> str:
    fields = {re.split(r"[.\[:]", line, maxsplit=1)[0] for line in error.problems}
    known = [text for field, text in WRONG.items() if field in fields]
    return known[0] if known else "The rules of this server do not allow such a client."
