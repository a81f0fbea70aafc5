"""POST /oauth2/introspect (RFC 7662; signed answers, RFC 9701).

Only clients with `introspect = true` may introspect tokens: resource servers. If such a client has
an `audience` or `resources`, it only learns about tokens for these. For every other token, the
answer is the same as for a malformed token.
"""

from dataclasses import dataclass

import msgspec
from aiohttp import web

from deviceflow.core.client import Client
from deviceflow.core.clock import Clock
from deviceflow.core.errors import invalid_request, unauthorized_client
from deviceflow.core.messages import ActiveTokenResponse, InactiveTokenResponse
from deviceflow.oauth.answers import NO_STORE, json_response
from deviceflow.oauth.clients.authentication import ClientAuthentication
from deviceflow.oauth.presented_tokens import ActiveToken, PresentedTokens
from deviceflow.signing.signer import Signer
from deviceflow.store.access_tokens import AccessTokens
from deviceflow.store.families import Families, RefreshToken
from deviceflow.store.redemptions import Redemptions
from deviceflow.store.users import Users

SIGNED = "application/token-introspection+jwt"
SIGNED_TYPE = "token-introspection+jwt"
INACTIVE = InactiveTokenResponse(active=False)

TokenState = ActiveTokenResponse | InactiveTokenResponse


@dataclass(frozen=True, kw_only=True)
class IntrospectionEndpoint:
    """The endpoint that describes tokens to resource servers."""

    issuer: str
    authentication: ClientAuthentication
    presented: PresentedTokens
    families: Families
    access_tokens: AccessTokens
    redemptions: Redemptions
    users: Users
    signer: Signer
    clock: Clock

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [web.post("/oauth2/introspect", self.handle)]

    async def handle(self, request: web.Request) -> web.Response:
        """Answer with the token's state. May raise OAuthError, StoreUnavailable."""
        _, parameters, client, _ = await self.authentication.read_confidential(request)
        if not client.introspect:
            raise unauthorized_client("This client may not introspect tokens.")
        token = parameters.get("token")
        if token is None:
            raise invalid_request("The parameter token is missing.")
        # token_type_hint is not needed (RFC 7662 2.1): the form of a token shows its type.
        state = await self._refresh_token(token, client)
        if state is None:
            state = await self._access_token(token, client)
        if SIGNED in request.headers.get("Accept", ""):
            return self._signed(state, client)
        return json_response(state)

    async def _access_token(self, token: str, client: Client) -> TokenState:
        # RFC 7662 2.2, 4: a resource server only learns about tokens for itself.
        audience = [*client.resources, *([client.audience] if client.audience else [])]
        active = await self.presented.active(token, audience)
        return INACTIVE if active is None else _state(active)

    async def _refresh_token(self, token: str, client: Client) -> TokenState | None:
        """Return the state of a refresh token, or None if `token` has another form."""
        refresh_token = RefreshToken.parse(token)
        if refresh_token is None:
            return None
        presented = await self.families.find(refresh_token)
        if presented is None or not presented.is_good or client.audience or client.resources:
            return INACTIVE
        family = presented.family
        is_ended = self.presented.revocations.ends(family.client_id, family.issued_at)
        if is_ended or not self.presented.serves(family.client_id):
            return INACTIVE
        if await self.access_tokens.is_revoked(self.families.grant_id(refresh_token.name)):
            return INACTIVE
        if not await self.users.may_sign_in(family.subject):
            return INACTIVE
        await self.redemptions.note_use(self.families.grant_id(refresh_token.name))
        return ActiveTokenResponse(
            active=True,
            scope=family.scope,
            client_id=family.client_id,
            sub=family.subject.sub,
            exp=family.expires_at,
            iss=self.issuer,
        )

    def _signed(self, state: TokenState, client: Client) -> web.Response:
        """Return the state as a JWT for this client (RFC 9701 5)."""
        claims = {
            "iss": self.issuer,
            "aud": client.client_id,
            "iat": int(self.clock()),
            "token_introspection": msgspec.to_builtins(state),
        }
        body = self.signer.sign(claims, SIGNED_TYPE)
        return web.Response(text=body, content_type=SIGNED, headers=NO_STORE)


def _state(active: ActiveToken) -> TokenState:
    """Return the state of an access token, without the claims that are internal."""
    claims = active.claims
    members = {
        "active": True,
        "username": active.account.username,
        # RFC 9449 6.2.
        "token_type": "DPoP" if "cnf" in claims else "Bearer",
    }
    return msgspec.convert(claims | members, ActiveTokenResponse)
