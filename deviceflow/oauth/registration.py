"""Dynamic client registration (RFC 7591) and its management (RFC 7592).

Off by default, and behind an initial access token. A registered client is kept in the store
like one that the operator added; who registered it manages it with a token of its own, of
which only a hash is stored.
"""

import hashlib
import secrets
from collections.abc import Sequence
from hmac import compare_digest

import msgspec
from aiohttp import web

from deviceflow.config import Registration, Settings
from deviceflow.core.client import Client
from deviceflow.core.errors import OAuthError
from deviceflow.core.messages import (
    DEVICE_CODE_GRANT,
    GRANT_TYPES,
    REGISTERED_METHODS,
    RegistrationRequest,
    RegistrationResponse,
)
from deviceflow.oauth.answers import NO_STORE, answer
from deviceflow.signing import is_public_jwk
from deviceflow.store.clients import StoredClients

SECRET_METHODS = REGISTERED_METHODS[1:3]
DEFAULT_METHOD = "client_secret_basic"
"""RFC 7591 2. What is left out, or null, has its default; an empty value is an error."""

CLIENT_ID_PREFIX = "client_"


class RegistrationEndpoint:
    """POST /oauth2/register; GET, PUT and DELETE /oauth2/register/{client_id}."""

    def __init__(self, settings: Settings, stored: StoredClients) -> None:
        self._settings: Registration = settings.registration
        self._uri = f"{settings.issuer_url}/oauth2/register"
        self._stored = stored

    async def register(self, request: web.Request) -> web.Response:
        """Make a client (RFC 7591 3). Raises OAuthError, StoreUnavailable."""
        token = _bearer(request)
        known = self._settings.initial_access_token_sha256
        if not any(compare_digest(_digest(token), digest) for digest in known):
            raise _invalid_token()
        wanted = await self._read(request)
        # Never the shape of a subject (RFC 9700 4.15).
        client_id = CLIENT_ID_PREFIX + secrets.token_hex(12)
        client, secret = self._client(client_id, wanted, None)
        await self._stored.put(client)
        management_token = secrets.token_urlsafe(32)
        await self._stored.put_registration(client_id, _digest(management_token))
        return answer(self._response(client, secret, management_token), status=201)

    async def show(self, request: web.Request) -> web.Response:
        """Tell what is registered (RFC 7592 2.1)."""
        client = await self._managed(request)
        return answer(self._response(client, None, _bearer(request)))

    async def update(self, request: web.Request) -> web.Response:
        """Replace what is registered (RFC 7592 2.2); the secret stays as it is."""
        client = await self._managed(request)
        wanted = await self._read(request)
        if wanted.client_id != client.client_id:
            raise _invalid_metadata("client_id has to be the one in the address.")
        if wanted.client_secret and _digest(wanted.client_secret) not in client.secret_sha256:
            raise _invalid_metadata("A client does not choose its secret.")
        changed, secret = self._client(client.client_id, wanted, client)
        await self._stored.put(changed)
        return answer(self._response(changed, secret, _bearer(request)))

    async def delete(self, request: web.Request) -> web.Response:
        """Forget the client (RFC 7592 2.3)."""
        client = await self._managed(request)
        await self._stored.remove(client.client_id)
        return web.Response(status=204, headers=NO_STORE)

    async def _managed(self, request: web.Request) -> Client:
        """The client that the token in the request may manage. Raises StoreUnavailable."""
        client_id = request.match_info["client_id"]
        token = _bearer(request)
        expected = await self._stored.registration(client_id)
        good = compare_digest(_digest(token), expected or _digest(""))
        # Only who may manage it hears that its record cannot be read (503).
        client = await self._stored.find(client_id) if good and expected else None
        if client is None:
            raise _invalid_token()
        return client

    async def _read(self, request: web.Request) -> RegistrationRequest:
        if request.content_type != "application/json":
            raise _invalid_metadata("The body has to be of type application/json.")
        try:
            return msgspec.json.decode(await request.read(), type=RegistrationRequest)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise _invalid_metadata("The body is not the JSON that RFC 7591 asks for.") from None

    def _client(
        self, client_id: str, wanted: RegistrationRequest, before: Client | None
    ) -> tuple[Client, str | None]:
        """The client as it is to be stored, and its new secret if it gets one."""
        method, grant_types = wanted.token_endpoint_auth_method, wanted.grant_types
        method = DEFAULT_METHOD if method is None else method
        grant_types = list(GRANT_TYPES) if grant_types is None else grant_types
        scopes = wanted.scope.split(" ") if wanted.scope else self._settings.scopes
        self._check(wanted, method, grant_types, scopes)
        secret, digests = None, before.secret_sha256 if before else ()
        if method in SECRET_METHODS and not digests:
            secret = secrets.token_urlsafe(32)
            digests = (_digest(secret),)
        proposal = {
            "client_id": client_id,
            "name": client_id if wanted.client_name is None else wanted.client_name,
            "scopes": list(dict.fromkeys(scopes)),
            "auth_method": method,
            "secret_sha256": list(digests) if method in SECRET_METHODS else [],
            "jwks": wanted.jwks,
            "dpop": "required" if wanted.dpop_bound_access_tokens else "optional",
            "refresh_token": "refresh_token" in grant_types and None,
        }
        # What only the operator sets, above all `enabled`, stays as it is.
        kept = msgspec.to_builtins(before) if before else {}
        try:
            return msgspec.convert(kept | proposal, type=Client), secret
        except msgspec.ValidationError:
            raise _invalid_metadata("client_name is not fit for people to read.") from None

    def _check(
        self,
        wanted: RegistrationRequest,
        method: str,
        grant_types: Sequence[str],
        scopes: Sequence[str],
    ) -> None:
        if not set(grant_types) <= set(GRANT_TYPES):
            raise _invalid_metadata("This server offers device_code and refresh_token only.")
        if DEVICE_CODE_GRANT not in grant_types:
            raise _invalid_metadata("A client of this server uses the device_code grant.")
        if method not in REGISTERED_METHODS:
            raise _invalid_metadata("That token_endpoint_auth_method is not offered.")
        if wanted.application_type == "native" and method in SECRET_METHODS:
            # RFC 6749 10.1: what every copy of an application holds is no secret.
            raise _invalid_metadata("A native application gets no secret; use none.")
        keys = (wanted.jwks or {}).get("keys")
        good = (
            isinstance(keys, list)
            and keys
            and all(isinstance(key, dict) and is_public_jwk(key) for key in keys)
        )
        if (method == "private_key_jwt" or wanted.jwks is not None) and not good:
            raise _invalid_metadata("jwks has to hold public keys.")
        if not set(scopes) <= set(self._settings.scopes):
            raise _invalid_metadata("A scope is not offered to registered clients.")

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
            registration_client_uri=f"{self._uri}/{client.client_id}",
            registration_access_token=management_token,
            client_secret=secret,
            client_secret_expires_at=0 if secret else None,
            jwks=client.jwks,
            dpop_bound_access_tokens=client.dpop == "required",
        )


def _bearer(request: web.Request) -> str:
    headers = request.headers.getall("Authorization", [])
    scheme, _, token = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not token.strip() or not token.isascii():
        raise _invalid_token()
    return token.strip()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _invalid_token() -> OAuthError:
    header = {"WWW-Authenticate": 'Bearer realm="deviceflow", error="invalid_token"'}
    return OAuthError(
        "invalid_token", "This token allows nothing here.", status=401, headers=header
    )


def _invalid_metadata(description: str) -> OAuthError:
    """RFC 7591 3.2.2."""
    return OAuthError("invalid_client_metadata", description)
