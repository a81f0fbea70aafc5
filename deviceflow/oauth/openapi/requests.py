"""What the OpenAPI document says of requests: forms and headers.

The server reads forms as text, field by field, so no Struct tells what is in one.
"""

from collections.abc import Iterable
from typing import Any

from deviceflow.core.assertion import TYPE as ASSERTION_TYPE
from deviceflow.core.form import MAX_FIELDS
from deviceflow.core.messages import DEVICE_CODE_GRANT, JWT, SCOPE, THUMBPRINT
from deviceflow.core.pkce import METHOD

Schema = dict[str, Any]

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
REFERENCE = "#/components/schemas/{name}"


def _text(description: str, **more: object) -> Schema:
    return {"type": "string", "description": description, **more}


_CLIENT = {
    "client_id": _text("The client, where it does not say so in another way."),
    "client_secret": _text("For client_secret_post (RFC 6749 2.3.1).", format="password"),
    "client_assertion_type": _text(
        f"{ASSERTION_TYPE}, beside a client_assertion (RFC 7523 2.2).", examples=[ASSERTION_TYPE]
    ),
    "client_assertion": _text("For private_key_jwt (RFC 7523 2.2): a signed JWT."),
}
_RESOURCE = {
    "type": "array",
    "items": {"type": "string", "format": "uri"},
    "description": "RFC 8707 2: absolute URIs without a fragment; one parameter each.",
}
_DEVICE_AUTHORIZATION = {
    "scope": _text("RFC 8628 3.1. Without it: all that the client may have.", pattern=f"^{SCOPE}$"),
    "resource": _RESOURCE,
    "code_challenge": _text("RFC 7636 4.3.", pattern=THUMBPRINT),
    "code_challenge_method": _text("RFC 7636 4.3.", enum=[METHOD]),
    "dpop_jkt": _text(
        "The thumbprint of the key that the tokens will be bound to (RFC 9449 10).",
        pattern=THUMBPRINT,
    ),
}
_DEVICE_CODE = {
    "grant_type": {"const": DEVICE_CODE_GRANT},
    "device_code": _text("RFC 8628 3.4.", minLength=1),
    "code_verifier": _text("RFC 7636 4.5.", pattern="^[A-Za-z0-9._~-]{43,128}$"),
    "resource": _RESOURCE,
}
_REFRESH_TOKEN = {
    "grant_type": {"const": "refresh_token"},
    "refresh_token": _text("RFC 6749 6.", minLength=1),
    "scope": _text("No more than was granted (RFC 6749 6).", pattern=f"^{SCOPE}$"),
    "resource": _RESOURCE,
}
_ABOUT_A_TOKEN = {
    "token": _text("An access token or a refresh token.", minLength=1),
    "token_type_hint": _text(
        "Not needed, and never wrong (RFC 7009 2.1, RFC 7662 2.1).",
        examples=["access_token", "refresh_token"],
    ),
}


def _form(
    title: str, fields: dict[str, Schema], required: Iterable[str] = (), **more: object
) -> Schema:
    return {
        "title": title,
        "type": "object",
        "properties": _CLIENT | fields,
        "required": list(required),
        "maxProperties": MAX_FIELDS,
        **more,
    }


# RFC 7636 4.3: neither means anything without the other.
_TOGETHER = {
    "code_challenge": ["code_challenge_method"],
    "code_challenge_method": ["code_challenge"],
}

FORMS = {
    form["title"]: form
    for form in (
        _form("DeviceAuthorizationRequest", _DEVICE_AUTHORIZATION, dependentRequired=_TOGETHER),
        _form("DeviceCodeRequest", _DEVICE_CODE, ("grant_type", "device_code")),
        _form("RefreshTokenRequest", _REFRESH_TOKEN, ("grant_type", "refresh_token")),
        _form("RevocationRequest", _ABOUT_A_TOKEN, ("token",)),
        _form("IntrospectionRequest", _ABOUT_A_TOKEN, ("token",)),
    )
}
"""The schemas of the forms, by name."""


def reference(name: str) -> Schema:
    """A schema of the components."""
    return {"$ref": REFERENCE.format(name=name)}


def form_body(*names: str) -> Schema:
    """A required form: one of FORMS, told apart by `grant_type` where there are several."""
    schema = reference(names[0]) if len(names) == 1 else _by_grant_type(names)
    return {
        "required": True,
        "description": "A parameter without a value counts as left out (RFC 6749 3.2);"
        " of unknown ones nothing is made.",
        "content": {FORM: {"schema": schema}},
    }


def _by_grant_type(names: Iterable[str]) -> Schema:
    mapping = {
        FORMS[name]["properties"]["grant_type"]["const"]: REFERENCE.format(name=name)
        for name in names
    }
    return {
        "oneOf": [reference(name) for name in names],
        "discriminator": {"propertyName": "grant_type", "mapping": mapping},
    }


def _header(name: str, description: str, **schema: object) -> Schema:
    return {
        "name": name,
        "in": "header",
        "description": description,
        "schema": {"type": "string", **schema},
    }


PROOF = _header("DPoP", "A proof of possession (RFC 9449 4), with our last nonce.", pattern=JWT)
PROOF_OF_TOKEN = _header("DPoP", "The proof that a token of the scheme DPoP needs (RFC 9449 7).")
PREFER = _header(
    "Prefer",
    "wait=N holds a poll for up to N s, until there is a decision (RFC 7240 4.3).",
    examples=["wait=30"],
)
