"""What the OpenAPI document says of registration (RFC 7591) and its management (RFC 7592)."""

import re

from deviceflow.config import Settings
from deviceflow.core.messages import RegistrationRequest, RegistrationResponse
from deviceflow.oauth.openapi import answers
from deviceflow.oauth.openapi.requests import JSON, Schema, reference

# What a scope may hold and a regular expression of ECMA-262 gives a meaning to.
_SPECIAL = re.compile(r"[$()*+.?\[\]^{|}]")

_CLIENT_ID = {"type": "string", "pattern": "^client_[0-9a-f]{24}$"}

SECURITY_SCHEMES = {
    "initial_access_token": {
        "type": "http",
        "scheme": "bearer",
        "description": "RFC 7591 3: one of those in the settings.",
    },
    "registration_access_token": {
        "type": "http",
        "scheme": "bearer",
        "description": "RFC 7592 3: it came with the registration.",
    },
}

_REFUSED = {
    "401": answers.error(
        "invalid_token", description="The token allows nothing here.", **answers.CHALLENGE
    ),
    **answers.AWAY,
}
_UNREADABLE = {"400": answers.error("invalid_client_metadata"), **answers.TOO_LARGE, **_REFUSED}
_KNOWN = {"200": answers.answer(RegistrationResponse)}


def registration_paths() -> Schema:
    """The two paths."""
    named = {"name": "client_id", "in": "path", "required": True, "schema": _CLIENT_ID}
    return {
        "/oauth2/register": {
            "post": {
                "operationId": "register_client",
                "summary": "Register a client (RFC 7591 3).",
                "security": [{"initial_access_token": []}],
                "requestBody": _body(reference("RegistrationRequest")),
                "responses": {
                    "201": answers.answer(RegistrationResponse, links=_links()),
                    **_UNREADABLE,
                },
            }
        },
        "/oauth2/register/{client_id}": {"parameters": [named], **_management()},
    }


def _management() -> Schema:
    managed: Schema = {"security": [{"registration_access_token": []}]}
    forgotten = {"204": answers.empty("It is forgotten."), **_REFUSED}
    own = {"type": "object", "required": ["client_id"], "properties": {"client_id": _CLIENT_ID}}
    return {
        "get": managed
        | {
            "operationId": "show_client",
            "summary": "What is registered (RFC 7592 2.1).",
            "responses": _KNOWN | _REFUSED,
        },
        "put": managed
        | {
            "operationId": "update_client",
            "summary": "Replace what is registered (RFC 7592 2.2).",
            "description": "With the client_id of the address, and with the secret or without."
            " What would widen what the client may do stays as it is; the answer tells what is"
            " in force.",
            "requestBody": _body({"allOf": [reference("RegistrationRequest"), own]}),
            "responses": _KNOWN | _UNREADABLE,
        },
        "delete": managed
        | {
            "operationId": "forget_client",
            "summary": "Forget the client (RFC 7592 2.3).",
            "responses": forgotten,
        },
    }


def _body(schema: Schema) -> Schema:
    return {"required": True, "content": {JSON: {"schema": schema}}}


def _links() -> Schema:
    """From a registration to what can be done with it."""
    parameters = {"client_id": "$response.body#/client_id"}
    return {
        name: {"operationId": name, "parameters": parameters}
        for name in ("show_client", "update_client", "forget_client")
    }


def registration_schemas(settings: Settings) -> Schema:
    """The schemas of both messages; what one member of a request means to another is added.

    The offered scopes are the settings' own; RFC 6749 10.1: a native application keeps no secret.
    """
    schema = answers.schemas_of(RegistrationRequest)["RegistrationRequest"]
    offered = "|".join(_SPECIAL.sub(r"\\\g<0>", scope) for scope in settings.registration.scopes)
    scope = f"^(({offered})( ({offered}))*)?$"
    properties = schema["properties"] | {"scope": {"type": ["string", "null"], "pattern": scope}}
    method, native = "token_endpoint_auth_method", {"const": "native"}
    rules = [
        _if({method: {"const": "private_key_jwt"}}, {"jwks": {"type": "object"}}),
        _if({"application_type": native}, {method: {"enum": ["none", "private_key_jwt"]}}),
    ]
    request = schema | {"properties": properties, "allOf": rules}
    return answers.as_sent(RegistrationResponse) | {"RegistrationRequest": request}


def _if(given: Schema, wanted: Schema) -> Schema:
    return {
        "if": {"properties": given, "required": list(given)},
        "then": {"properties": wanted, "required": list(wanted)},
    }
