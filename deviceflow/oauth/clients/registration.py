"""Dynamic client registration (RFC 7591) and its management (RFC 7592).

Off by default, and behind an initial access token. A registered client is kept in the store
like one that the operator added; who registered it manages it with a token of its own, of
which only a hash is stored.
"""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from hmac import compare_digest

import msgspec
import structlog
from aiohttp import web

from deviceflow.config import Settings
from deviceflow.core.client import Client, secret_digest
from deviceflow.core.errors import OAuthError
from deviceflow.core.messages import GRANT_TYPES, RegistrationRequest, RegistrationResponse
from deviceflow.oauth.answers import NO_STORE, json_response
from deviceflow.oauth.clients.client_metadata import RegisteredClient, invalid_metadata, registered
from deviceflow.oauth.clients.refusals import Refusals
from deviceflow.store.clients import StoredClients

CLIENT_ID_PREFIX = "client_"

log = structlog.get_logger()

Handle = Callable[["RegistrationEndpoint", web.Request], Awaitable[web.Response]]


def _noted(handle: Handle) -> Handle:
    """`handle`; where it refuses the token, the operator hears of it."""

    @wraps(handle)
    async def noted(self: "RegistrationEndpoint", request: web.Request) -> web.Response:
        try:
            return await handle(self, request)
        except OAuthError as error:
            if error.code == "invalid_token":
                self.note_refusal(request)
            raise

    return noted


@dataclass(frozen=True, kw_only=True)
class RegistrationEndpoint:
    """POST /oauth2/register; GET, PUT and DELETE /oauth2/register/{client_id}."""

    settings: Settings
    stored_clients: StoredClients
    refusals: Refusals

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        client = "/oauth2/register/{client_id}"
        return [
            web.post("/oauth2/register", self.register),
            web.get(client, self.show),
            web.put(client, self.update),
            web.delete(client, self.delete),
        ]

    @_noted
    async def register(self, request: web.Request) -> web.Response:
        """Make a client (RFC 7591 3). Raises OAuthError, StoreUnavailable."""
        digest = secret_digest(_bearer(request))
        known = self.settings.registration.initial_access_token_sha256
        if not any(compare_digest(digest, one) for one in known):
            raise _invalid_token()
        wanted = _metadata(request, await request.read())
        # Never the shape of a subject (RFC 9700 4.15).
        client_id = CLIENT_ID_PREFIX + secrets.token_hex(12)
        client, secret = registered(client_id, wanted, None, self.settings)
        management_token = secrets.token_urlsafe(32)
        # In this order: there is never a client that its registrant cannot manage.
        await self.stored_clients.put_registration(client_id, secret_digest(management_token))
        await self.stored_clients.put(client)
        log.info("client.registered", **_audited(client))
        return json_response(self._response(client, secret, management_token), status=201)

    @_noted
    async def show(self, request: web.Request) -> web.Response:
        """Tell what is registered (RFC 7592 2.1)."""
        token = _bearer(request)
        client_id = request.match_info["client_id"]
        client = _managed(await self.stored_clients.find(client_id, secret_digest(token)))
        return json_response(self._response(client, None, token))

    @_noted
    async def update(self, request: web.Request) -> web.Response:
        """Replace what is registered (RFC 7592 2.2); the secret stays as it is."""
        token = _bearer(request)
        # All of it, before the store is asked: its sender has as long as it likes.
        body = await request.read()
        secret: str | None = None

        def edit(before: Client | None) -> Client:
            nonlocal secret
            # Only who may manage the client hears what is wrong with the body.
            client = _managed(before)
            changed, secret = self._changed(client, _metadata(request, body))
            return changed

        client_id = request.match_info["client_id"]
        client = await self.stored_clients.change(client_id, edit, secret_digest(token))
        log.info("client.changed", **_audited(client))
        return json_response(self._response(client, secret, token))

    @_noted
    async def delete(self, request: web.Request) -> web.Response:
        """Forget the client (RFC 7592 2.3)."""
        token = _bearer(request)
        client_id = request.match_info["client_id"]
        await self.stored_clients.change(client_id, _forget, secret_digest(token))
        log.info("client.removed", client_id=client_id)
        return web.Response(status=204, headers=NO_STORE)

    def note_refusal(self, request: web.Request) -> None:
        """Log that a token was refused, of whichever kind this address takes."""
        managed = request.match_info.get("client_id", "")
        kind = "registration" if managed else "initial"
        reason = f"has no {kind} access token, or a wrong one"
        self.refusals.note(request, managed, reason, known=not managed)

    def _changed(self, client: Client, wanted: RegistrationRequest) -> RegisteredClient:
        if wanted.client_id != client.client_id:
            raise invalid_metadata("client_id has to be the one in the address.")
        if wanted.client_secret:
            digest = secret_digest(wanted.client_secret)
            if not any(compare_digest(digest, one) for one in client.secret_sha256):
                raise invalid_metadata("A client does not choose its secret.")
        return registered(client.client_id, wanted, client, self.settings)

    def _response(
        self, client: Client, secret: str | None, management_token: str | None
    ) -> RegistrationResponse:
        refreshes = client.refresh_token is not False
        return RegistrationResponse(
            client_id=client.client_id,
            client_name=client.name,
            scope=" ".join(client.scopes),
            grant_types=list(GRANT_TYPES if refreshes else GRANT_TYPES[:1]),
            token_endpoint_auth_method=client.auth_method,
            registration_client_uri=f"{self.settings.issuer_url}/oauth2/register/{client.client_id}",
            registration_access_token=management_token,
            client_secret=secret,
            client_secret_expires_at=0 if secret else None,
            jwks=client.jwks,
            dpop_bound_access_tokens=client.dpop == "required",
        )


def _managed(client: Client | None) -> Client:
    """The client, if there is one that the token manages."""
    if client is None:
        raise _invalid_token()
    return client


def _forget(client: Client | None) -> None:
    _managed(client)


def _audited(client: Client) -> dict[str, str]:
    """What is logged of a registration."""
    scope = " ".join(client.scopes)
    return {"client_id": client.client_id, "auth_method": client.auth_method, "scope": scope}


def _metadata(request: web.Request, body: bytes) -> RegistrationRequest:
    if request.content_type != "application/json":
        raise invalid_metadata("The body has to be of type application/json.")
    try:
        return msgspec.json.decode(body, type=RegistrationRequest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise invalid_metadata("The body is not the JSON that RFC 7591 asks for.") from None


def _bearer(request: web.Request) -> str:
    headers = request.headers.getall("Authorization", [])
    scheme, _, token = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not token.strip() or not token.isascii():
        raise _invalid_token()
    return token.strip()


def _invalid_token() -> OAuthError:
    header = {"WWW-Authenticate": 'Bearer realm="deviceflow", error="invalid_token"'}
    return OAuthError(
        "invalid_token", "This token allows nothing here.", status=401, headers=header
    )
