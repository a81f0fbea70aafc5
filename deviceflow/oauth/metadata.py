"""Metadata (RFC 8414; OpenID Connect Discovery) and keys (RFC 7517), true to the settings."""

from collections.abc import Callable

import msgspec
from aiohttp import web

from deviceflow.config import Settings
from deviceflow.core.messages import DEVICE_CODE_GRANT, ServerMetadata
from deviceflow.signing import Signer

CACHED_S = 300


def server_metadata(settings: Settings) -> ServerMetadata:
    """What this server offers."""
    issuer = settings.issuer_url
    scopes = {scope: None for client in settings.clients for scope in client.scopes}
    methods = {client.auth_method: None for client in settings.clients}
    return ServerMetadata(
        issuer=issuer,
        device_authorization_endpoint=f"{issuer}/oauth2/device_authorization",
        token_endpoint=f"{issuer}/oauth2/token",
        jwks_uri=f"{issuer}/oauth2/jwks",
        grant_types_supported=[DEVICE_CODE_GRANT, "refresh_token"],
        # Required by both documents, though a device-only server answers no such request.
        response_types_supported=["none"],
        scopes_supported=list(scopes),
        token_endpoint_auth_methods_supported=list(methods) or ["none"],
        subject_types_supported=["public"],
        id_token_signing_alg_values_supported=[settings.tokens.algorithm],
        device_poll_max_wait=settings.device.max_wait_s,
        claims_supported=["sub", "auth_time", "amr", "name", "preferred_username", "email"],
    )


class Published:
    """A document that anybody may read and keep for a while."""

    def __init__(self, document: Callable[[], object]) -> None:
        self._document = document

    async def __call__(self, _: web.Request) -> web.Response:
        """Answer with the document as it is now."""
        return web.Response(
            body=msgspec.json.encode(self._document()),
            content_type="application/json",
            headers={"Cache-Control": f"public, max-age={CACHED_S}"},
        )


def published_keys(signer: Signer) -> Published:
    """GET /oauth2/jwks."""
    return Published(signer.jwks)


def published_metadata(settings: Settings) -> Published:
    """GET /.well-known/oauth-authorization-server and /.well-known/openid-configuration."""
    document = server_metadata(settings)
    return Published(lambda: document)
