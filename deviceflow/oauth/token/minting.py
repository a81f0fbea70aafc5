"""The tokens of a token response: access token, refresh token and ID token."""

import secrets
from dataclasses import dataclass
from typing import NamedTuple

from deviceflow.config import Tokens
from deviceflow.core import claims
from deviceflow.core.claims import Subject, Validity
from deviceflow.core.client import Client
from deviceflow.core.clock import Clock
from deviceflow.core.errors import invalid_grant, invalid_target
from deviceflow.core.messages import TokenResponse
from deviceflow.core.resources import OPENID, GrantedScope, Resources, TokenScope
from deviceflow.oauth.token.request import TokenRequest
from deviceflow.signing import Signer
from deviceflow.store.access_tokens import AccessTokens
from deviceflow.store.families import Families, Family, RefreshToken
from deviceflow.store.grants import Redemption


class Entitlement(NamedTuple):
    """What a device may receive tokens for.

    `scope`: the scope of the grant. `access`: the part of it that the access token is for. `jkt`:
    the key that the token is bound to, or empty. `family`: the name of the grant's family of
    refresh tokens.
    """

    client: Client
    subject: Subject
    scope: str
    access: TokenScope
    jkt: str
    family: str


class FirstTokens(NamedTuple):
    """The answer to a redemption, and the refresh token family to store with it."""

    response: TokenResponse
    redemption: Redemption | None


@dataclass(frozen=True, kw_only=True)
class TokenMint:
    """The maker of tokens. Its coroutines may raise StoreUnavailable."""

    issuer: str
    settings: Tokens
    resources: Resources
    signer: Signer
    families: Families
    access_tokens: AccessTokens
    clock: Clock

    def access(self, request: TokenRequest, scope: str, granted: GrantedScope) -> TokenScope:
        """Return the part of a grant that the access token is for (RFC 8707 2.2).

        May raise OAuthError.
        """
        if self.resources.named(granted.resources, request.client) is None:
            # The operator has removed a resource since.
            raise invalid_grant("The client may no longer use a resource of this grant.")
        access = self.resources.access(scope, granted, request.client, request.resources)
        if access is None:
            raise invalid_target()
        return access

    async def first(self, entitlement: Entitlement, granted_resources: str) -> FirstTokens:
        """Make the tokens of a redemption, with a refresh token if the grant allows it.

        The refresh token is for the whole grant; the access token may be for a part of it.
        """
        response = await self.fresh(entitlement)
        if not entitlement.client.gets_refresh_token(entitlement.scope):
            return FirstTokens(response, None)
        token = RefreshToken.new(entitlement.family)
        response.refresh_token = token.text
        family = Family(
            client_id=entitlement.client.client_id,
            scope=entitlement.scope,
            subject=entitlement.subject,
            expires_at=int(self.clock()) + self.settings.refresh_token_lifetime_s,
            dpop_jkt=entitlement.jkt if entitlement.client.refresh_tokens_have_key else "",
            resources=granted_resources,
        )
        redemption = Redemption(family, token.hash, self.families.idle_until_ms(family))
        return FirstTokens(response, redemption)

    async def fresh(self, entitlement: Entitlement) -> TokenResponse:
        """Make an access token, and an ID token if the scope asks for it; no refresh token."""
        return TokenResponse(
            access_token=await self._access_token(entitlement),
            token_type="DPoP" if entitlement.jkt else "Bearer",
            expires_in=self.settings.access_token_lifetime_s,
            scope=entitlement.access.scope,
            id_token=self._id_token(entitlement),
        )

    async def _access_token(self, entitlement: Entitlement) -> str:
        client = entitlement.client
        scope, audience = entitlement.access
        lifetime_s = self.settings.access_token_lifetime_s
        now = int(self.clock())
        content = claims.access_token(
            entitlement.subject,
            issuer=self.issuer,
            audience=audience[0] if len(audience) == 1 else list(audience),
            client_id=client.client_id,
            scope=scope,
            jti=secrets.token_urlsafe(16),
            grant_id=self.families.grant_id(entitlement.family),
            jkt=entitlement.jkt,
            lifetime=Validity(now, now + lifetime_s),
        )
        if (client.token_format or self.settings.format) == "opaque":
            return await self.access_tokens.store(content, lifetime_s)
        return self.signer.sign(content, claims.ACCESS_TOKEN_TYPE, client.algorithm)

    def _id_token(self, entitlement: Entitlement) -> str | None:
        if OPENID not in entitlement.scope.split():
            return None
        now = int(self.clock())
        content = claims.id_token(
            entitlement.subject,
            issuer=self.issuer,
            client_id=entitlement.client.client_id,
            scope=entitlement.scope,
            lifetime=Validity(now, now + self.settings.id_token_lifetime_s),
        )
        return self.signer.sign(content, claims.ID_TOKEN_TYPE, entitlement.client.algorithm)
