"""The OpenAPI document of the machine endpoints, made from the messages themselves.

Served on the admin port: it is for operators and for tests, devices have the metadata.
"""

from typing import Any

import msgspec

from deviceflow import __version__
from deviceflow.config import Settings
from deviceflow.core.messages import (
    DEVICE_CODE_GRANT,
    DeviceAuthorizationResponse,
    ErrorResponse,
    RegistrationRequest,
    RegistrationResponse,
    ServerMetadata,
    TokenResponse,
)
from deviceflow.oauth.metadata import Published

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
REFERENCE = "#/components/schemas/{name}"

_CLIENT = {
    "client_id": "The client, where it does not say so in another way.",
    "client_secret": "For client_secret_post (RFC 6749 2.3.1).",
    "client_assertion_type": "For private_key_jwt (RFC 7523 2.2).",
    "client_assertion": "For private_key_jwt (RFC 7523 2.2).",
}
_DEVICE_AUTHORIZATION = {
    "scope": "RFC 8628 3.1.",
    "resource": "RFC 8707 2; may be given several times.",
    "code_challenge": "RFC 7636 4.3.",
    "code_challenge_method": "S256.",
    "dpop_jkt": "The thumbprint of the key that the tokens will be bound to (RFC 9449 10).",
}
_TOKEN = {
    "grant_type": f"{DEVICE_CODE_GRANT} or refresh_token.",
    "device_code": "RFC 8628 3.4.",
    "code_verifier": "RFC 7636 4.5.",
    "refresh_token": "RFC 6749 6.",
    "scope": "Narrower than was granted (RFC 6749 6).",
    "resource": "Within what was granted (RFC 8707 2.2).",
}
_ABOUT_A_TOKEN = {"token": "The token.", "token_type_hint": "Not needed."}


def document(settings: Settings) -> dict[str, Any]:
    """The document for these settings (OpenAPI 3.1)."""
    _, schemas = msgspec.json.schema_components(
        [
            DeviceAuthorizationResponse,
            TokenResponse,
            ErrorResponse,
            RegistrationRequest,
            RegistrationResponse,
            ServerMetadata,
        ],
        ref_template=REFERENCE,
    )
    return {
        "openapi": "3.1.0",
        "info": {"title": "deviceflow", "version": __version__},
        "servers": [{"url": settings.issuer_url}],
        "paths": _paths(settings),
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def published_openapi(settings: Settings) -> Published:
    """GET /openapi.json on the admin port."""
    made = document(settings)
    return Published(lambda: made)


def _paths(settings: Settings) -> dict[str, Any]:
    any_json = {"description": "The document.", "content": {JSON: {"schema": {"type": "object"}}}}
    paths: dict[str, Any] = {
        "/oauth2/device_authorization": _form_endpoint(
            "Start a grant (RFC 8628 3.1).",
            _CLIENT | _DEVICE_AUTHORIZATION,
            _answer(DeviceAuthorizationResponse),
        ),
        "/oauth2/token": _form_endpoint(
            "Poll, or refresh (RFC 8628 3.4, RFC 6749 6).",
            _CLIENT | _TOKEN,
            _answer(TokenResponse),
        ),
        "/oauth2/revoke": _form_endpoint(
            "End a token (RFC 7009).",
            _CLIENT | _ABOUT_A_TOKEN,
            {"description": "It is of no use any more."},
        ),
        "/oauth2/introspect": _form_endpoint(
            "Ask what a token stands for (RFC 7662).", _CLIENT | _ABOUT_A_TOKEN, any_json
        ),
        "/oauth2/userinfo": {
            method: {
                "summary": "About the person (OpenID Connect Core 5.3).",
                "security": [{"bearer": []}],
                "responses": {"200": any_json, **_errors("400", "401", "403", "405", "503")},
            }
            for method in ("get", "post")
        },
        "/oauth2/jwks": _get("The keys (RFC 7517).", any_json),
        "/.well-known/openid-configuration": _get(
            "Metadata (OpenID Connect Discovery).", _answer(ServerMetadata)
        ),
        "/.well-known/oauth-authorization-server": _get(
            "Metadata (RFC 8414).", _answer(ServerMetadata)
        ),
    }
    return paths | (_registration() if settings.registration.enabled else {})


def _form_endpoint(summary: str, fields: dict[str, str], success: dict[str, Any]) -> dict[str, Any]:
    properties = {
        name: {"type": "string", "description": description} for name, description in fields.items()
    }
    body = {"schema": {"type": "object", "properties": properties}}
    return {
        "post": {
            "summary": summary,
            "security": [{"basic": []}, {}],
            "requestBody": {"required": True, "content": {FORM: body}},
            "responses": {
                "200": success,
                **_errors("400", "401", "405", "413", "429", "503"),
            },
        }
    }


def _registration() -> dict[str, Any]:
    body = {"required": True, "content": {JSON: {"schema": _reference(RegistrationRequest)}}}
    named = {"name": "client_id", "in": "path", "required": True, "schema": {"type": "string"}}
    security: list[dict[str, list[str]]] = [{"bearer": []}]
    errors = _errors("400", "401", "404", "405", "413", "503")
    gone = {"204": {"description": "It is forgotten."}, **errors}
    known = {"200": _answer(RegistrationResponse), **errors}
    made = {"201": _answer(RegistrationResponse), **errors}
    return {
        "/oauth2/register": {
            "post": {
                "summary": "Register a client (RFC 7591).",
                "security": security,
                "requestBody": body,
                "responses": made,
            }
        },
        "/oauth2/register/{client_id}": {
            "parameters": [named],
            "get": {"summary": "RFC 7592 2.1.", "security": security, "responses": known},
            "put": {
                "summary": "RFC 7592 2.2.",
                "security": security,
                "requestBody": body,
                "responses": known,
            },
            "delete": {"summary": "RFC 7592 2.3.", "security": security, "responses": gone},
        },
    }


def _get(summary: str, success: dict[str, Any]) -> dict[str, Any]:
    return {"get": {"summary": summary, "responses": {"200": success, **_errors("405")}}}


def _answer(message: type[msgspec.Struct]) -> dict[str, Any]:
    return {"description": "Done.", "content": {JSON: {"schema": _reference(message)}}}


def _errors(*statuses: str) -> dict[str, Any]:
    content = {JSON: {"schema": _reference(ErrorResponse)}}
    return {status: {"description": "An error.", "content": content} for status in statuses}


def _reference(message: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": REFERENCE.format(name=message.__name__)}
