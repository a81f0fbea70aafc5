"""From client metadata (RFC 7591 2) to the client that is stored.

1. A client that registers gets what it asks for, within the settings.
2. A client that changes its registration may change its name and its keys, and may narrow: fewer
   scopes, no refresh tokens, DPoP, a stronger method of authentication. A change that would
   widen has no effect, because the operator may have narrowed that value; the answer says what
   is in force (RFC 7591 3.2.1, RFC 7592 2.2: the server may replace values). The algorithm that
   signs its tokens is neither wide nor narrow: it may change, and stays if it is left out.
3. Everything else is the operator's, above all `enabled`, and stays.
4. The rules for a client of the file hold for it too.
"""

import re
import secrets
from typing import Any, NamedTuple

import msgspec

from deviceflow.config import ConfigError, Settings, read_client
from deviceflow.core.client import (
    UNNAMED,
    Client,
    scope_tokens,
    secret_digest,
)
from deviceflow.core.client_methods import (
    CLIENT_METHODS,
    DEFAULT_REGISTERED_METHOD,
    REGISTERED_METHODS,
    AuthMethod,
)
from deviceflow.core.client_values import is_web_page
from deviceflow.core.clients import Clients
from deviceflow.core.display_text import comparison_key, normal_form
from deviceflow.core.errors import OAuthError
from deviceflow.core.messages import DEVICE_CODE_GRANT, GRANT_TYPES, RegistrationRequest
from deviceflow.core.resources import Resources
from deviceflow.core.signing_key import registered_algorithms
from deviceflow.signing.keys import is_public_jwk

MAX_NAME = 40
"""The most characters of a name that nobody has verified: too few to tell a story in."""

FIELD_ERRORS = {
    "name": "client_name has to be 1 to 40 visible characters on one line.",
    "jwks": "jwks has to hold public keys.",
}
"""The description for a field that breaks a rule. The rule's own words would repeat its value."""


class RegisteredClient(NamedTuple):
    """A client that is ready to be stored, and its new secret if it gets one."""

    client: Client
    secret: str | None


def apply_metadata(
    metadata: RegistrationRequest, client_id: str, current: Client | None, settings: Settings
) -> RegisteredClient:
    """Make the client that `metadata` describes, or change the `current` one.

    May raise OAuthError. A member that is left out, or null, has its default; an empty value is
    an error.
    """
    if metadata.jwks_uri is not None:
        # Ignored, it would leave the client with keys that it believes replaced.
        raise invalid_metadata("jwks_uri is not supported: send the keys themselves, as jwks.")
    method = _method(metadata, current)
    secret, digests = _secret(method, current)
    changes = _changes(metadata, method, current, settings) | {
        "client_id": client_id,
        "secret_sha256": digests,
    }
    before: dict[str, Any] = msgspec.to_builtins(current) if current else {}
    fields = {name: value for name, value in (before | changes).items() if value is not None}
    try:
        return RegisteredClient(read_client(fields, settings), secret)
    except ConfigError as error:
        raise invalid_metadata(_description(error)) from None


def refuse_name_in_file(client: Client, clients: Clients) -> None:
    """Raise OAuthError if the file has another client of this name, or of its twin.

    The store refuses the names of its own clients (`StoredClients`).
    """
    is_unnamed = comparison_key(client.name) == comparison_key(UNNAMED)
    if not is_unnamed and clients.is_name_in_file(client.name, client.client_id):
        raise name_taken()


def name_taken() -> OAuthError:
    """Return the error for a name that is another client's."""
    return invalid_metadata("Another client has this client_name.")


def invalid_metadata(description: str) -> OAuthError:
    """RFC 7591 3.2.2."""
    return OAuthError("invalid_client_metadata", description)


def _changes(
    metadata: RegistrationRequest, method: AuthMethod, current: Client | None, settings: Settings
) -> dict[str, Any]:
    """Return the fields that a registration sets, but for the id and the secret."""
    scopes = _scopes(metadata, current, settings)
    name = normal_form(UNNAMED if metadata.client_name is None else metadata.client_name)
    if len(name) > MAX_NAME:
        raise invalid_metadata(FIELD_ERRORS["name"])
    is_bound = metadata.dpop_bound_access_tokens or (current and current.dpop == "required")
    pages = _pages(metadata)
    return {
        "name": name,
        **pages,
        # The operator vouched for the name and the pages that it had.
        "verified": current is not None
        and current.verified
        and current.name == name
        and all(getattr(current, field) == page for field, page in pages.items()),
        "scopes": scopes,
        "optional_scopes": [
            scope for scope in (current.optional_scopes if current else ()) if scope in scopes
        ],
        "auth_method": method,
        "jwks": _jwks(metadata, method, current),
        "dpop": "required" if is_bound else "optional",
        "refresh_token": _refreshes(metadata) and (current.refresh_token if current else None),
        "resources": _resources(scopes, current, settings),
        "algorithm": _algorithm(metadata, current, settings),
    }


def _pages(metadata: RegistrationRequest) -> dict[str, str | None]:
    """Return the addresses of pages that people may follow; None for one that is left out.

    RFC 7591 2: the server may leave out what it does not use. The answer has the others.
    """
    return {
        field: page if is_web_page(page := getattr(metadata, field)) else None
        for field in ("client_uri", "policy_uri", "tos_uri")
    }


def _method(metadata: RegistrationRequest, current: Client | None) -> AuthMethod:
    name = metadata.token_endpoint_auth_method
    name = DEFAULT_REGISTERED_METHOD if name is None else name
    allowed = {*REGISTERED_METHODS, *([current.auth_method] if current else [])}
    method = next((each for each in allowed if each == name), None)
    if method is None:
        raise invalid_metadata("That token_endpoint_auth_method is not offered.")
    if metadata.application_type == "native" and CLIENT_METHODS[method].has_secret:
        # RFC 6749 10.1: what every copy of an application holds is no secret.
        raise invalid_metadata("A native application gets no secret; use none.")
    if CLIENT_METHODS[method].has_keys and metadata.jwks is None:
        raise invalid_metadata(FIELD_ERRORS["jwks"])
    if current and method in current.announced_methods:
        return current.auth_method
    if current and CLIENT_METHODS[method].strength < current.method.strength:
        return current.auth_method
    return method


def _secret(method: AuthMethod, current: Client | None) -> tuple[str | None, list[str]]:
    """Return a new secret if one is needed and missing, and the digests to store."""
    if not CLIENT_METHODS[method].has_secret:
        return None, []
    if current and current.secret_sha256:
        return None, list(current.secret_sha256)
    secret = secrets.token_urlsafe(32)
    return secret, [secret_digest(secret)]


def _scopes(metadata: RegistrationRequest, current: Client | None, settings: Settings) -> list[str]:
    offered = settings.registration.scopes
    allowed = current.scopes if current else offered
    requested = scope_tokens(metadata.scope or "") or allowed
    if not {*requested} <= {*offered, *allowed}:
        raise invalid_metadata("A scope is not offered to registered clients.")
    return [scope for scope in requested if scope in allowed]


def _algorithm(
    metadata: RegistrationRequest, current: Client | None, settings: Settings
) -> str | None:
    """Return what signs the client's tokens; None for the server's own algorithm.

    OpenID Connect Registration 2 has RS256 as the default. Here it is the server's own, which the
    answer names.
    """
    requested = metadata.id_token_signed_response_alg
    kept = current.algorithm if current else None
    shown = (kept or settings.tokens.algorithm) if current else None
    # What the answer has shown can be sent back (RFC 7592 2.2), and means no change.
    if requested in (None, shown):
        return kept
    if requested not in registered_algorithms(settings.tokens.algorithm):
        raise invalid_metadata("That id_token_signed_response_alg is not offered.")
    return requested


def _resources(scopes: list[str], current: Client | None, settings: Settings) -> list[str]:
    """Return the resources that it has, and the owners of its scopes, which the rules demand."""
    resources = Resources(settings.issuer_url, settings.resources)
    audience = current.audience if current else None
    owners = [resources.owner(scope) for scope in scopes]
    missing = [owner for owner in owners if owner is not None and owner != audience]
    return list(dict.fromkeys([*(current.resources if current else ()), *missing]))


def _jwks(
    metadata: RegistrationRequest, method: AuthMethod, current: Client | None
) -> dict[str, Any] | None:
    if metadata.jwks is None:
        return current.jwks if current and CLIENT_METHODS[method].has_keys else None
    keys = metadata.jwks.get("keys")
    if not isinstance(keys, list) or not keys:
        raise invalid_metadata(FIELD_ERRORS["jwks"])
    if not all(isinstance(key, dict) and is_public_jwk(key) for key in keys):
        raise invalid_metadata(FIELD_ERRORS["jwks"])
    return metadata.jwks


def _refreshes(metadata: RegistrationRequest) -> bool:
    grant_types = GRANT_TYPES if metadata.grant_types is None else metadata.grant_types
    if not {*grant_types} <= {*GRANT_TYPES}:
        raise invalid_metadata("This server offers device_code and refresh_token only.")
    if DEVICE_CODE_GRANT not in grant_types:
        raise invalid_metadata("A client of this server uses the device_code grant.")
    return "refresh_token" in grant_types


def _description(error: ConfigError) -> str:
    fields = {re.split(r"[.\[:]", line, maxsplit=1)[0] for line in error.problems}
    known = [text for field, text in FIELD_ERRORS.items() if field in fields]
    return known[0] if known else "The rules of this server do not allow such a client."
