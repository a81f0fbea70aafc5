"""Dynamic client registration (RFC 7591) and its management (RFC 7592).

Off by default, and behind an initial access token. A registered client is stored like one that
the operator added. Its registrant manages it with a token of its own; the store has only a hash
of that token.
"""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from hmac import compare_digest

import msgspec
import structlog
from aiohttp import web

from deviceflow.audit.events import SecurityEvent
from deviceflow.audit.journal import Audit
from deviceflow.callers import media_type
from deviceflow.config import Settings
from deviceflow.core.client import Client, secret_digest
from deviceflow.core.clients import Clients
from deviceflow.core.errors import OAuthError
from deviceflow.core.messages import GRANT_TYPES, RegistrationRequest, RegistrationResponse
from deviceflow.oauth.answers import NO_STORE, json_response
from deviceflow.oauth.clients.client_metadata import (
    RegisteredClient,
    apply_metadata,
    invalid_metadata,
    name_taken,
    refuse_name_in_file,
)
from deviceflow.oauth.clients.refusals import RefusalLog
from deviceflow.store.clients import StoredClients
from deviceflow.store.errors import NameTaken

CLIENT_ID_PREFIX = "client_"

log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.Response]]


@dataclass(frozen=True, kw_only=True)
class RegistrationEndpoint:
    """POST /oauth2/register; GET, PUT and DELETE /oauth2/register/{client_id}."""

    settings: Settings
    clients: Clients
    stored_clients: StoredClients
    refusals: RefusalLog
    audit: Audit

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        path, client_path = "/oauth2/register", "/oauth2/register/{client_id}"
        return [
            web.post(path, self._noting_refusals(self.register)),
            web.get(client_path, self._noting_refusals(self.show)),
            web.put(client_path, self._noting_refusals(self.update)),
            web.delete(client_path, self._noting_refusals(self.delete)),
        ]

    async def register(self, request: web.Request) -> web.Response:
        """Make a client (RFC 7591 3). May raise OAuthError, StoreUnavailable."""
        digest = secret_digest(_bearer(request))
        known = self.settings.registration.initial_access_token_sha256
        if not any(compare_digest(digest, initial) for initial in known):
            raise _invalid_token()
        metadata = _metadata(request, await request.read())
        # Never the shape of a subject (RFC 9700 4.15).
        client_id = CLIENT_ID_PREFIX + secrets.token_hex(12)
        client, secret = apply_metadata(metadata, client_id, None, self.settings)
        refuse_name_in_file(client, self.clients)
        management_token = secrets.token_urlsafe(32)
        try:
            await self.stored_clients.register(client, secret_digest(management_token))
        except NameTaken:
            raise name_taken() from None
        log.info("client.registered", **_logged(client))
        self._record(SecurityEvent.CLIENT_ADDED, client.client_id)
        return json_response(self._response(client, secret, management_token), status=201)

    async def show(self, request: web.Request) -> web.Response:
        """Answer with what is registered (RFC 7592 2.1)."""
        token = _bearer(request)
        client_id = request.match_info["client_id"]
        client = _managed(await self.stored_clients.find(client_id, secret_digest(token)))
        return json_response(self._response(client, None, token))

    async def update(self, request: web.Request) -> web.Response:
        """Replace what is registered (RFC 7592 2.2); the secret stays as it is."""
        token = _bearer(request)
        # The whole body, before the store is read: its sender may take its time.
        body = await request.read()
        secret: str | None = None

        def edit(current: Client | None) -> Client:
            nonlocal secret
            # In this order: only a sender that may manage the client learns what is wrong.
            client = _managed(current)
            changed, secret = self._changed(client, _metadata(request, body))
            return changed

        client_id = request.match_info["client_id"]
        try:
            client = await self.stored_clients.change(
                client_id, edit, secret_digest(token), is_own_name=True
            )
        except NameTaken:
            raise name_taken() from None
        log.info("client.changed", **_logged(client))
        self._record(SecurityEvent.CLIENT_CHANGED, client.client_id)
        return json_response(self._response(client, secret, token))

    async def delete(self, request: web.Request) -> web.Response:
        """Remove the client (RFC 7592 2.3)."""
        token = _bearer(request)
        client_id = request.match_info["client_id"]
        await self.stored_clients.change(client_id, _remove, secret_digest(token))
        log.info("client.removed", client_id=client_id)
        self._record(SecurityEvent.CLIENT_REMOVED, client_id)
        return web.Response(status=204, headers=NO_STORE)

    def _record(self, event: SecurityEvent, client_id: str) -> None:
        self.audit.record(event, client_id=client_id, way="registration")

    def _noting_refusals(self, handler: Handler) -> Handler:
        """Return `handler`; if it refuses the token, the operator's log says so."""

        @wraps(handler)
        async def noting(request: web.Request) -> web.Response:
            try:
                return await handler(request)
            except OAuthError as error:
                if error.code == "invalid_token":
                    self._note_refusal(request)
                raise

        return noting

    def _note_refusal(self, request: web.Request) -> None:
        """Log that a token was refused, of the kind that this address takes."""
        managed = request.match_info.get("client_id", "")
        kind = "registration" if managed else "initial"
        reason = f"has no {kind} access token, or a wrong one"
        self.refusals.note(request, managed, reason, known=not managed)

    def _changed(self, client: Client, metadata: RegistrationRequest) -> RegisteredClient:
        if metadata.client_id != client.client_id:
            raise invalid_metadata("client_id has to be the one in the address.")
        if metadata.client_secret:
            digest = secret_digest(metadata.client_secret)
            if not any(compare_digest(digest, known) for known in client.secret_sha256):
                raise invalid_metadata("A client does not choose its secret.")
        changed = apply_metadata(metadata, client.client_id, client, self.settings)
        if changed.client.name != client.name:
            refuse_name_in_file(changed.client, self.clients)
        return changed

    def _response(
        self, client: Client, secret: str | None, management_token: str | None
    ) -> RegistrationResponse:
        refreshes = client.refresh_token is not False
        return RegistrationResponse(
            client_id=client.client_id,
            client_name=client.name,
            client_uri=client.client_uri,
            policy_uri=client.policy_uri,
            tos_uri=client.tos_uri,
            scope=" ".join(client.scopes),
            grant_types=list(GRANT_TYPES if refreshes else GRANT_TYPES[:1]),
            token_endpoint_auth_method=client.announced_methods[0],
            id_token_signed_response_alg=client.algorithm or self.settings.tokens.algorithm,
            registration_client_uri=f"{self.settings.issuer_url}/oauth2/register/{client.client_id}",
            registration_access_token=management_token,
            client_secret=secret,
            client_secret_expires_at=0 if secret else None,
            jwks=client.jwks,
            dpop_bound_access_tokens=client.dpop == "required",
        )


def _managed(client: Client | None) -> Client:
    """Return the client. Raise OAuthError if the token manages none."""
    if client is None:
        raise _invalid_token()
    return client


def _remove(current: Client | None) -> None:
    _managed(current)


def _logged(client: Client) -> dict[str, str]:
    """Return what the log says of a registration."""
    scope = " ".join(client.scopes)
    return {"client_id": client.client_id, "auth_method": client.auth_method, "scope": scope}


def _metadata(request: web.Request, body: bytes) -> RegistrationRequest:
    if media_type(request) != "application/json":
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
