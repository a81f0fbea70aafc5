"""Making the tokens of one answer: access, refresh and ID token."""

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
    """What tokens are made for.

    `scope`: what the device is allowed; `access`: the part of it that this access token opens;
    `jkt`: the key that it is bound to, or empty; `family`: the name of the grant's family of
    refresh tokens.
    """

    client: Client
    subject: Subject
    scope: str
    access: TokenScope
    jkt: str
    family: str


class FirstTokens(NamedTuple):
    """The answer to a redemption, and the family to store with it."""

    response: TokenResponse
    redemption: Redemption | None


@dataclass(frozen=True, kw_only=True)
class TokenMint:
    """Makes the tokens that a grant or a refresh token stands for. Raises StoreUnavailable."""

    issuer: str
    settings: Tokens
    resources: Resources
    signer: Signer
    families: Families
    access_tokens: AccessTokens
    clock: Clock

    def access(self, request: TokenRequest, scope: str, granted: GrantedScope) -> TokenScope:
        """What the access token opens of a grant, if not all of it (RFC 8707 2.2).

        Raises OAuthError.
        """
        if self.resources.named(granted.resources, request.client) is None:
            # The operator took a resource away since.
            raise invalid_grant("The client may no longer use a resource of this grant.")
        access = self.resources.access(scope, granted, request.client, request.resources)
        if access is None:
            raise invalid_target()
        return access

    async def first(self, entitled: Entitlement, granted_resources: str) -> FirstTokens:
        """The tokens of a redemption; a refresh token only where one was granted.

        The refresh token stands for the whole grant, the access token perhaps for less.
        """
        response = await self.fresh(entitled)
        if not entitled.client.gets_refresh_token(entitled.scope):
            return FirstTokens(response, None)
        token = RefreshToken.new(entitled.family)
        response.refresh_token = token.text
        record = Family(
            client_id=entitled.client.client_id,
            scope=entitled.scope,
            subject=entitled.subject,
            expires_at=int(self.clock()) + self.settings.refresh_token_lifetime_s,
            dpop_jkt=entitled.jkt if entitled.client.refresh_tokens_have_key else "",
            resources=granted_resources,
        )
        redemption = Redemption(record, token.hash, self.families.idle_until_ms(record))
        return FirstTokens(response, redemption)

    async def fresh(self, entitled: Entitlement) -> TokenResponse:
        """A new access token, and an ID token where one was granted; no refresh token."""
        return TokenResponse(
            access_token=await self._access_token(entitled),
            token_type="DPoP" if entitled.jkt else "Bearer",
            expires_in=self.settings.access_token_lifetime_s,
            scope=entitled.access.scope,
            id_token=self._id_token(entitled),
        )

    async def _access_token(self, entitled: Entitlement) -> str:
        client = entitled.client
        scope, audience = entitled.access
        lifetime_s = self.settings.access_token_lifetime_s
        now = int(self.clock())
        content = claims.access_token(
            entitled.subject,
            issuer=self.issuer,
            audience=audience[0] if len(audience) == 1 else list(audience),
            client_id=client.client_id,
            scope=scope,
            jti=secrets.token_urlsafe(16),
            grant_id=self.families.grant_id(entitled.family),
            jkt=entitled.jkt,
            lifetime=Validity(now, now + lifetime_s),
        )
        if (client.token_format or self.settings.format) == "opaque":
            return await self.access_tokens.store(content, lifetime_s)
        return self.signer.sign(content, claims.ACCESS_TOKEN_TYPE)

    def _id_token(self, entitled: Entitlement) -> str | None:
        if OPENID not in entitled.scope.split():
            return None
        now = int(self.clock())
        content = claims.id_token(
            entitled.subject,
            issuer=self.issuer,
            client_id=entitled.client.client_id,
            scope=entitled.scope,
            lifetime=Validity(now, now + self.settings.id_token_lifetime_s),
        )
        return self.signer.sign(content, claims.ID_TOKEN_TYPE)
