"""The OpenAPI document of the machine endpoints, made from the messages themselves.

Served on the admin port: it is for operators and for tests, devices have the metadata. It tells
every answer of an endpoint; 405 is none of these, for it answers a method that is not there.
"""

from typing import Any

from deviceflow import __version__
from deviceflow.config import Settings
from deviceflow.core.grant import PollAnswer
from deviceflow.core.messages import (
    DEVICE_CODE_GRANT,
    DeviceAuthorizationResponse,
    PublicKeySet,
    ServerMetadata,
    TokenResponse,
    UserinfoResponse,
)
from deviceflow.oauth.metadata import PublicDocument
from deviceflow.oauth.openapi import answers, registration, requests
from deviceflow.oauth.openapi.requests import Schema

_SECURITY_SCHEMES = {
    "client_secret_basic": {
        "type": "http",
        "scheme": "basic",
        "description": "RFC 6749 2.3.1. The other ways to authenticate are in the form.",
    },
    "access_token": {
        "type": "http",
        "scheme": "bearer",
        "description": "RFC 6750 2.1: an access token with the scope openid.",
    },
    "dpop_access_token": {
        "type": "http",
        "scheme": "DPoP",
        "description": "RFC 9449 7.1: the same, bound to a key; with a proof in the header DPoP.",
    },
}
_CERTIFICATE = {
    "tls_client_auth": {
        "type": "mutualTLS",
        "description": "RFC 8705 2.1, at a proxy that verifies certificates.",
    },
}
_SAME_CLIENT = "$request.body#/client_id"
_PROOF_ERRORS = ("invalid_dpop_proof", "use_dpop_nonce")


def document(settings: Settings) -> dict[str, Any]:
    """The document for these settings (OpenAPI 3.1)."""
    certificate = _CERTIFICATE if settings.server.client_certificate_header else {}
    paths = (
        _client_endpoints(["client_secret_basic", *certificate])
        | {"/oauth2/userinfo": _userinfo()}
        | _documents(settings)
    )
    schemas = answers.answer_schemas() | requests.FORMS
    schemes: Schema = _SECURITY_SCHEMES | certificate
    if settings.registration.enabled:
        paths |= registration.registration_paths()
        schemas |= registration.registration_schemas(settings)
        schemes = schemes | registration.SECURITY_SCHEMES
    return {
        "openapi": "3.1.0",
        "info": {"title": "deviceflow", "version": __version__},
        "servers": [{"url": settings.issuer_url}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "headers": answers.HEADERS,
            "responses": answers.SHARED,
            "securitySchemes": schemes,
        },
    }


def published_openapi(settings: Settings) -> PublicDocument:
    """GET /openapi.json on the admin port."""
    made = document(settings)
    return PublicDocument(path="/openapi.json", document=lambda: made)


def _client_endpoints(schemes: list[str]) -> Schema:
    """The four endpoints where a client authenticates: by one of `schemes`, or in the form."""
    security: list[Schema] = [*({scheme: []} for scheme in schemes), {}]
    endpoints = {
        "/oauth2/device_authorization": _form_endpoint(
            "device_authorization",
            "Start a grant (RFC 8628 3.1).",
            requests.form_body("DeviceAuthorizationRequest"),
            _device_authorization_answers(),
            parameters=[requests.PROOF],
        ),
        "/oauth2/token": _form_endpoint(
            "token",
            "PollAnswer, or refresh (RFC 8628 3.4, RFC 6749 6).",
            requests.form_body("DeviceCodeRequest", "RefreshTokenRequest"),
            _token_answers(),
            parameters=[requests.PROOF, requests.PREFER],
        ),
        "/oauth2/revoke": _form_endpoint(
            "revoke",
            "End a token, and its whole grant with it (RFC 7009).",
            requests.form_body("RevocationRequest"),
            {
                "200": answers.empty("The token is of no use (any more)."),
                "400": answers.error("invalid_request"),
            },
        ),
        "/oauth2/introspect": _form_endpoint(
            "introspect",
            "Ask what a token stands for (RFC 7662).",
            requests.form_body("IntrospectionRequest"),
            {
                "200": answers.introspected(),
                "400": answers.error("invalid_request", "unauthorized_client"),
            },
            description="For clients with `introspect = true`; none of them is public.",
        ),
    }
    return {
        path: {"post": endpoint | {"security": security}} for path, endpoint in endpoints.items()
    }


def _form_endpoint(
    name: str, summary: str, body: Schema, told: answers.Answers, **more: object
) -> Schema:
    return {
        "operationId": name,
        "summary": summary,
        "requestBody": body,
        "responses": told | answers.CLIENT_REFUSED,
        **more,
    }


def _device_authorization_answers() -> answers.Answers:
    codes = ("invalid_request", "invalid_scope", "invalid_target", *_PROOF_ERRORS)
    poll = _link(
        "token",
        grant_type=DEVICE_CODE_GRANT,
        device_code="$response.body#/device_code",
        client_id=_SAME_CLIENT,
    )
    return {
        "200": answers.answer(DeviceAuthorizationResponse, links={"poll": poll}),
        "400": answers.error(*codes, **answers.NONCE),
    }


def _token_answers() -> answers.Answers:
    codes = (
        *("invalid_request", "invalid_scope", "invalid_target", "unsupported_grant_type"),
        *PollAnswer,
        *_PROOF_ERRORS,
    )
    refresh_token, access_token = "$response.body#/refresh_token", "$response.body#/access_token"
    links = {
        "refresh": _link(
            "token",
            grant_type="refresh_token",
            refresh_token=refresh_token,
            client_id=_SAME_CLIENT,
        ),
        "revoke": _link("revoke", token=refresh_token, client_id=_SAME_CLIENT),
        "introspect": _link("introspect", token=access_token),
    }
    headers = answers.NONCE | answers.HELD
    return {
        "200": answers.answer(TokenResponse, links=links, **headers),
        "400": answers.error(*codes, **headers, **answers.SLOWER),
    }


def _link(operation: str, **form: str) -> Schema:
    return {"operationId": operation, "requestBody": form}


def _userinfo() -> Schema:
    told: Schema = {
        "summary": "About the person (OpenID Connect Core 5.3).",
        "security": [{"access_token": []}, {"dpop_access_token": []}],
        "parameters": [requests.PROOF_OF_TOKEN],
        "responses": _userinfo_answers(),
    }
    posted: Schema = {"responses": told["responses"] | answers.TOO_LARGE}
    return {
        "get": told | {"operationId": "userinfo"},
        "post": told | posted | {"operationId": "userinfo_post"},
    }


def _userinfo_answers() -> answers.Answers:
    return {
        "200": answers.answer(UserinfoResponse),
        "400": answers.error("invalid_request"),
        "401": answers.error(
            "invalid_token",
            *_PROOF_ERRORS,
            description="The token cannot be used. Who has shown none gets no body (RFC 6750 3).",
            **answers.CHALLENGE,
            **answers.NONCE,
        ),
        "403": answers.error(
            "insufficient_scope",
            description="The token lacks the scope openid.",
            **answers.CHALLENGE,
        ),
        **answers.AWAY,
    }


def _documents(settings: Settings) -> Schema:
    """What anybody may read. RFC 8414 3 puts one of them beside the issuer's path, not below."""
    base = settings.base_path
    inserted = _document("metadata", "Metadata (RFC 8414).", ServerMetadata)
    if base:
        inserted["servers"] = [{"url": settings.issuer_url.removesuffix(base)}]
    return {
        "/oauth2/jwks": _document(
            "jwks", "The keys that tokens are signed with (RFC 7517).", PublicKeySet, "AskedAgain"
        ),
        "/.well-known/openid-configuration": _document(
            "discovery", "Metadata (OpenID Connect Discovery).", ServerMetadata
        ),
        f"/.well-known/oauth-authorization-server{base}": inserted,
    }


def _document(name: str, summary: str, message: answers.Message, cached: str = "Kept") -> Schema:
    told = {"operationId": name, "summary": summary, "security": []}
    return {"get": told | {"responses": {"200": answers.published(message, cached)}}}
