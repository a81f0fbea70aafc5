"""POST /oauth2/revoke (RFC 7009).

A revoked token takes its whole grant with it: the family of refresh tokens and every access
token. A token that is unknown, garbage or another client's gets the answer of a success, and
nothing happens to it.
"""

import structlog
from aiohttp import web

from deviceflow.config import Settings
from deviceflow.core.client import Client
from deviceflow.core.errors import invalid_request
from deviceflow.oauth.answers import NO_STORE
from deviceflow.oauth.client_auth import ClientAuthentication
from deviceflow.oauth.presented import PresentedTokens
from deviceflow.store.access import AccessTokens
from deviceflow.store.tokens import RefreshToken, Tokens

log = structlog.get_logger()


class RevocationEndpoint:
    """Ends tokens at their client's wish."""

    def __init__(
        self,
        settings: Settings,
        *,
        authentication: ClientAuthentication,
        presented: PresentedTokens,
        tokens: Tokens,
        access_tokens: AccessTokens,
    ) -> None:
        self._family_ttl_s = settings.tokens.refresh_token_lifetime_s
        self._authentication = authentication
        self._presented = presented
        self._tokens = tokens
        self._access_tokens = access_tokens

    async def handle(self, request: web.Request) -> web.Response:
        """Answer 200 once the token is of no use (2.2). Raises OAuthError, StoreUnavailable."""
        _, parameters, client = await self._authentication.read(request)
        token = parameters.get("token")
        if token is None:
            raise invalid_request("The parameter token is missing.")
        presented = RefreshToken.parse(token)
        if presented is not None:
            await self._end_family(presented, client)
        else:
            await self._end_grant_of(token, client)
        return web.Response(headers=NO_STORE)

    async def _end_family(self, presented: RefreshToken, client: Client) -> None:
        family = await self._tokens.read(presented.name)
        if family is None or family.client_id != client.client_id:
            return
        if not await self._tokens.holds(presented):
            return
        # The access tokens first: if the store goes away in between, the device tries again.
        await self._access_tokens.revoke_grant(self._tokens.grant_id(presented.name))
        await self._tokens.revoke(presented.name)
        log.info("refresh_token.revoked", client_id=client.client_id, sub=family.subject.sub)

    async def _end_grant_of(self, token: str, client: Client) -> None:
        claims = await self._presented.read(token)
        if claims is None or claims["client_id"] != client.client_id:
            return
        await self._access_tokens.revoke_grant(claims["grant_id"], self._family_ttl_s)
        log.info("access_token.revoked", client_id=client.client_id, sub=claims["sub"])
