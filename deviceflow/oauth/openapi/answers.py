"""What the OpenAPI document says of answers: their schemas, error codes and headers."""

import msgspec

from deviceflow.core.grant import PollAnswer
from deviceflow.core.messages import (
    ActiveTokenResponse,
    DeviceAuthorizationResponse,
    ErrorResponse,
    InactiveTokenResponse,
    PublicKeySet,
    ServerMetadata,
    TokenResponse,
    UserinfoResponse,
)
from deviceflow.oauth.introspection import SIGNED
from deviceflow.oauth.metadata import ASKED_AGAIN, KEPT
from deviceflow.oauth.openapi.requests import JSON, REFERENCE, Schema, reference

Message = type[msgspec.Struct]

_ANSWERS: tuple[Message, ...] = (
    DeviceAuthorizationResponse,
    TokenResponse,
    ActiveTokenResponse,
    InactiveTokenResponse,
    UserinfoResponse,
    PublicKeySet,
    ServerMetadata,
    ErrorResponse,
)


def schemas_of(*messages: Message) -> dict[str, Schema]:
    """The schemas of `messages` and of what they are made of, by name."""
    _, schemas = msgspec.json.schema_components(messages, ref_template=REFERENCE)
    return schemas


def as_sent(*messages: Message) -> dict[str, Schema]:
    """The same for answers, which leave out what they do not have: no member is ever null."""
    return {
        name: schema
        | {"properties": {key: _never_null(member) for key, member in schema["properties"].items()}}
        for name, schema in schemas_of(*messages).items()
    }


def answer_schemas() -> dict[str, Schema]:
    """The schemas of all answers, but for those of a registration."""
    return as_sent(*_ANSWERS)


def _never_null(member: Schema) -> Schema:
    rest = {key: value for key, value in member.items() if key not in {"default", "anyOf"}}
    kinds = [kind for kind in member.get("anyOf", ()) if kind != {"type": "null"}]
    if not kinds:
        return rest
    return rest | (kinds[0] if len(kinds) == 1 else {"anyOf": kinds})


def _header(description: str, kind: str = "string", **schema: object) -> Schema:
    return {"description": description, "schema": {"type": kind, **schema}}


HEADERS = {
    "NotKept": _header("RFC 6749 5.1.", const="no-store") | {"required": True},
    "NotKeptEither": _header("RFC 6749 5.1.", const="no-cache") | {"required": True},
    "Kept": _header("For a while.", const=KEPT) | {"required": True},
    "AskedAgain": _header("OpenID Connect Core 10.1.1.", const=ASKED_AGAIN) | {"required": True},
    "Nonce": _header(
        "For the next proof (RFC 9449 8): where a proof came, or one with a nonce is needed."
    ),
    "Held": _header(
        "How long the poll could be held (RFC 7240 3), if it was.", pattern="^wait=[0-9]+$"
    ),
    "Later": _header("In s (RFC 9110 10.2.3).", "integer", minimum=1) | {"required": True},
    "Slower": _header("With slow_down: how long to wait, in s.", "integer", minimum=1),
    "Authenticate": _header(
        "Where the client used the Authorization header, or has to (RFC 6749 5.2).",
        pattern="^Basic ",
    ),
    "Challenge": _header("RFC 6750 3, RFC 9449 7.1.", pattern="^(Bearer|DPoP) ")
    | {"required": True},
}
"""Headers of answers, by what they are called in the components."""

_NOT_KEPT = {"Cache-Control": "NotKept", "Pragma": "NotKeptEither"}
NONCE = {"DPoP-Nonce": "Nonce"}
HELD = {"Preference-Applied": "Held"}
SLOWER = {"Retry-After": "Slower"}
CHALLENGE = {"WWW-Authenticate": "Challenge"}


def _headers(names: dict[str, str]) -> Schema:
    return {name: {"$ref": f"#/components/headers/{kind}"} for name, kind in names.items()}


# Answers

Answers = dict[str, Schema]


def answer(message: Message, *, links: Schema | None = None, **headers: str) -> Schema:
    """A success with `message` in it; `headers`: names, and what they are in HEADERS."""
    told = empty("Done.", **headers) | {"content": {JSON: {"schema": reference(message.__name__)}}}
    return told | ({"links": links} if links else {})


def published(message: Message, cached: str = "Kept") -> Schema:
    """A document that anybody may read; `cached`: its Cache-Control, as in HEADERS."""
    return answer(message) | {"headers": _headers({"Cache-Control": cached})}


def empty(description: str, **headers: str) -> Schema:
    """A success that says nothing more."""
    return {"description": description, "headers": _headers(_NOT_KEPT | headers)}


def introspected() -> Schema:
    """RFC 7662 2.2; RFC 9701 5 for who asks for a signed answer."""
    kinds = [reference(kind.__name__) for kind in (ActiveTokenResponse, InactiveTokenResponse)]
    signed = {
        "type": "string",
        "description": "A JWT with this state in token_introspection (RFC 9701 5).",
    }
    content = {JSON: {"schema": {"oneOf": kinds}}, SIGNED: {"schema": signed}}
    return empty("The token's state.") | {"content": content}


def error(*codes: str, description: str = "Refused.", **headers: str) -> Schema:
    """An error of RFC 6749 5.2, one of `codes`."""
    told: Schema = {"properties": {"error": {"enum": [*codes]}}}
    if PollAnswer.SLOW_DOWN in codes:
        told |= _INTERVAL_RULE
    schema = {"allOf": [reference("ErrorResponse"), told]}
    return empty(description, **headers) | {"content": {JSON: {"schema": schema}}}


# The interval comes with slow_down, and with nothing else; not where the client is shut out.
_INTERVAL_RULE: Schema = {
    "if": {"properties": {"error": {"not": {"const": PollAnswer.SLOW_DOWN}}}},
    "then": {"properties": {"interval": False}},
}

_LATER = {"Retry-After": "Later"}
SHARED = {
    "ClientRefused": error(
        "invalid_client",
        description="The client is unknown, or did not authenticate.",
        **{"WWW-Authenticate": "Authenticate"},
    ),
    "TooLarge": error("invalid_request", description="The body is too large."),
    "TooManyFailures": error(
        "temporarily_unavailable",
        description="Too many attempts to authenticate failed. A poll gets slow_down (400).",
        **_LATER,
    ),
    "Away": error(
        "temporarily_unavailable",
        description="The store cannot be reached; nothing has changed.",
        **_LATER,
    ),
}
"""Answers that several endpoints give, by what they are called in the components."""


TOO_LARGE = {"413": {"$ref": "#/components/responses/TooLarge"}}
AWAY = {"503": {"$ref": "#/components/responses/Away"}}
CLIENT_REFUSED = {
    "401": {"$ref": "#/components/responses/ClientRefused"},
    "429": {"$ref": "#/components/responses/TooManyFailures"},
    **TOO_LARGE,
    **AWAY,
}
"""What every endpoint may answer where a client authenticates."""
