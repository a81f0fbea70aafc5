"""POST /oauth2/revoke (RFC 7009).

The revocation of a token ends its whole grant: the family of refresh tokens and every access
token. For a token that is unknown, malformed or another client's, the answer is the same, but
nothing is revoked.
"""

from dataclasses import dataclass

import structlog
from aiohttp import web

from deviceflow.audit.events import SecurityEvent
from deviceflow.audit.journal import Audit
from deviceflow.core.client import Client
from deviceflow.core.errors import invalid_request
from deviceflow.oauth.answers import NO_STORE
from deviceflow.oauth.clients.authentication import ClientAuthentication
from deviceflow.oauth.presented_tokens import PresentedTokens
from deviceflow.store.families import Families, RefreshToken

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class RevocationEndpoint:
    """The endpoint where a client revokes its tokens."""

    authentication: ClientAuthentication
    presented: PresentedTokens
    families: Families
    audit: Audit

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [web.post("/oauth2/revoke", self.handle)]

    async def handle(self, request: web.Request) -> web.Response:
        """Revoke a token, and answer 200 (2.2). May raise OAuthError, StoreUnavailable."""
        _, parameters, client, _ = await self.authentication.read(request)
        token = parameters.get("token")
        if token is None:
            raise invalid_request("The parameter token is missing.")
        refresh_token = RefreshToken.parse(token)
        if refresh_token is not None:
            await self._end_family(refresh_token, client)
        else:
            await self._end_grant_of(token, client)
        return web.Response(headers=NO_STORE)

    async def _end_family(self, refresh_token: RefreshToken, client: Client) -> None:
        presented = await self.families.find(refresh_token)
        if presented is None or not presented.is_good:
            return
        if presented.family.client_id != client.client_id:
            return
        grant_id = self.families.grant_id(refresh_token.name)
        await self.families.revoke(grant_id)
        sub = presented.family.subject.sub
        log.info("refresh_token.revoked", client_id=client.client_id, sub=sub)
        self._record(client, grant_id, sub)

    async def _end_grant_of(self, token: str, client: Client) -> None:
        claims = await self.presented.read(token)
        if claims is None or claims["client_id"] != client.client_id:
            return
        await self.families.revoke(claims["grant_id"])
        sub = claims["sub"]
        log.info("access_token.revoked", client_id=client.client_id, sub=sub)
        self._record(client, claims["grant_id"], sub)

    def _record(self, client: Client, grant_id: str, sub: str) -> None:
        self.audit.record(
            SecurityEvent.TOKEN_REVOKED, grant_id=grant_id, client_id=client.client_id, sub=sub
        )
