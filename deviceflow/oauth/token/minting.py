"""The tokens of a token response: access token, refresh token and ID token."""

import secrets
from dataclasses import dataclass
from typing import NamedTuple

from deviceflow.config import Tokens
from deviceflow.core import claims
from deviceflow.core.claims import Access, Claims, Subject, Validity
from deviceflow.core.client import Client
from deviceflow.core.clock import Clock
from deviceflow.core.errors import invalid_grant, invalid_target
from deviceflow.core.messages import TokenResponse
from deviceflow.core.resources import OPENID, GrantedScope, Resources, TokenScope
from deviceflow.oauth.token.request import TokenRequest
from deviceflow.signing.signer import Signer
from deviceflow.store.access_tokens import AccessTokens
from deviceflow.store.families import Families, Family
from deviceflow.store.grant_records import Redemption, RepeatableRedemption
from deviceflow.store.redemptions import RedeemedTokens, Redemptions, TokenContent, new_seed


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
    """The answer to a redemption, and what to store with it.

    `redemption`: the family of refresh tokens. `repeatable`: what a repetition needs.
    `access_ends_at`: when the access token ends, in s.
    """

    response: TokenResponse
    redemption: Redemption | None
    repeatable: RepeatableRedemption | None
    access_ends_at: int


@dataclass(frozen=True, kw_only=True)
class TokenMint:
    """The maker of tokens. Its coroutines may raise StoreUnavailable."""

    issuer: str
    settings: Tokens
    resources: Resources
    signer: Signer
    families: Families
    access_tokens: AccessTokens
    redemptions: Redemptions
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

    async def first(
        self, entitlement: Entitlement, granted_resources: str, request: TokenRequest
    ) -> FirstTokens:
        """Make the tokens of a redemption, with a refresh token if the grant allows it.

        The refresh token is for the whole grant; the access token may be for a part of it.
        """
        tokens = RedeemedTokens(
            seed=new_seed(),
            key_id=self.redemptions.key_id,
            content=self._content(entitlement),
            has_refresh_token=entitlement.client.gets_refresh_token(entitlement.scope),
            jkt=entitlement.jkt,
            resources=tuple(request.resources),
        )
        response = await self.again(tokens, entitlement.family)
        lifetime_s = self.settings.access_token_lifetime_s
        repeatable = self.redemptions.repeatable(tokens, lifetime_s)
        access_ends_at = int(str(tokens.content.access_token["exp"]))
        if not tokens.has_refresh_token:
            return FirstTokens(response, None, repeatable, access_ends_at)
        now = int(self.clock())
        family = Family(
            client_id=entitlement.client.client_id,
            scope=entitlement.scope,
            subject=entitlement.subject,
            expires_at=now + self.settings.refresh_token_lifetime_s,
            dpop_jkt=entitlement.jkt if entitlement.client.refresh_tokens_have_key else "",
            resources=granted_resources,
            issued_at=now,
        )
        token = self.redemptions.refresh_token(tokens, entitlement.family)
        redemption = Redemption(family, token.hash, self.families.idle_until_ms(family))
        return FirstTokens(response, redemption, repeatable, access_ends_at)

    async def again(self, tokens: RedeemedTokens, family: str) -> TokenResponse:
        """Make the tokens of a redemption, as often as it is repeated. `family`: its name."""
        response = await self._response(tokens.content, self.redemptions.opaque_secret(tokens))
        if tokens.has_refresh_token:
            response.refresh_token = self.redemptions.refresh_token(tokens, family).text
        return response

    async def fresh(self, entitlement: Entitlement) -> TokenResponse:
        """Make an access token, and an ID token if the scope asks for it; no refresh token."""
        return await self._response(self._content(entitlement))

    async def _response(self, content: TokenContent, opaque_secret: str = "") -> TokenResponse:
        access = content.access_token
        lifetime_s = max(0, int(str(access["exp"])) - int(self.clock()))
        if content.is_opaque:
            access_token = await self.access_tokens.store(access, lifetime_s, opaque_secret)
        else:
            access_token = self.signer.sign(access, claims.ACCESS_TOKEN_TYPE, content.algorithm)
        return TokenResponse(
            access_token=access_token,
            token_type="DPoP" if "cnf" in access else "Bearer",
            expires_in=lifetime_s,
            scope=str(access["scope"]),
            id_token=self._signed_id_token(content),
        )

    def _signed_id_token(self, content: TokenContent) -> str | None:
        if content.id_token is None:
            return None
        return self.signer.sign(content.id_token, claims.ID_TOKEN_TYPE, content.algorithm)

    def _content(self, entitlement: Entitlement) -> TokenContent:
        client = entitlement.client
        return TokenContent(
            access_token=self._access_token(entitlement),
            id_token=self._id_token(entitlement),
            is_opaque=(client.token_format or self.settings.format) == "opaque",
            algorithm=client.algorithm,
        )

    def _access_token(self, entitlement: Entitlement) -> Claims:
        scope, audience = entitlement.access
        now = int(self.clock())
        access = Access(
            audience=audience[0] if len(audience) == 1 else list(audience),
            client_id=entitlement.client.client_id,
            scope=scope,
            grant_id=self.families.grant_id(entitlement.family),
            jkt=entitlement.jkt,
        )
        return claims.access_token(
            entitlement.subject,
            access,
            issuer=self.issuer,
            jti=secrets.token_urlsafe(16),
            lifetime=Validity(now, now + self.settings.access_token_lifetime_s),
        )

    def _id_token(self, entitlement: Entitlement) -> Claims | None:
        if OPENID not in entitlement.scope.split():
            return None
        now = int(self.clock())
        return claims.id_token(
            entitlement.subject,
            issuer=self.issuer,
            client_id=entitlement.client.client_id,
            scope=entitlement.scope,
            lifetime=Validity(now, now + self.settings.id_token_lifetime_s),
        )
