"""Making the tokens of one answer: access, refresh and ID token."""

import secrets
import time
from collections.abc import Callable
from typing import NamedTuple

from deviceflow.config import Settings
from deviceflow.core import claims
from deviceflow.core.claims import Lifetime, Subject
from deviceflow.core.client import Client
from deviceflow.core.errors import invalid_grant, invalid_target
from deviceflow.core.messages import TokenResponse
from deviceflow.core.resources import OPENID, Access, Granted, Resources
from deviceflow.oauth.token import TokenRequest
from deviceflow.signing import Signer
from deviceflow.store.access import AccessTokens
from deviceflow.store.grants import Redemption
from deviceflow.store.tokens import Family, RefreshToken, Tokens

OFFLINE_ACCESS = "offline_access"


class Entitlement(NamedTuple):
    """What tokens are made for.

    `scope`: what the device is allowed; `access`: the part of it that this access token opens;
    `jkt`: the key that it is bound to, or empty; `family`: the name of the grant's family of
    refresh tokens.
    """

    client: Client
    subject: Subject
    scope: str
    access: Access
    jkt: str
    family: str


class FirstTokens(NamedTuple):
    """The answer to a redemption, and the family to store with it."""

    response: TokenResponse
    redemption: Redemption | None


class Issuer:
    """Makes the tokens that a grant or a refresh token stands for. Raises StoreUnavailable."""

    def __init__(
        self,
        settings: Settings,
        *,
        signer: Signer,
        tokens: Tokens,
        access_tokens: AccessTokens,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._issuer = settings.issuer_url
        self._settings = settings.tokens
        self._resources = Resources(settings.issuer_url, settings.resources)
        self._signer = signer
        self._tokens = tokens
        self._access_tokens = access_tokens
        self._clock = clock

    def access(self, asked: TokenRequest, scope: str, granted: Granted) -> Access:
        """What the access token opens of a grant, if not all of it (RFC 8707 2.2).

        Raises OAuthError.
        """
        if self._resources.named(granted.resources, asked.client) is None:
            # The operator took a resource away since.
            raise invalid_grant("The client may no longer use a resource of this grant.")
        access = self._resources.access(scope, granted, asked.client, asked.resources)
        if access is None:
            raise invalid_target()
        return access

    async def first(self, entitled: Entitlement, granted_resources: str) -> FirstTokens:
        """The tokens of a redemption; a refresh token only where one was granted.

        The refresh token stands for the whole grant, the access token perhaps for less.
        """
        response = await self.fresh(entitled)
        if not wants_refresh_token(entitled.client, entitled.scope):
            return FirstTokens(response, None)
        token = RefreshToken.new(entitled.family)
        response.refresh_token = token.text
        record = Family(
            client_id=entitled.client.client_id,
            scope=entitled.scope,
            subject=entitled.subject,
            expires_at=int(self._clock()) + self._settings.refresh_token_lifetime_s,
            dpop_jkt=entitled.jkt if is_bound_by_key(entitled.client) else "",
            resources=granted_resources,
        )
        redemption = Redemption(record, token.hash, self._tokens.idle_until_ms(record))
        return FirstTokens(response, redemption)

    async def fresh(self, entitled: Entitlement) -> TokenResponse:
        """A new access token, and an ID token where one was granted; no refresh token."""
        return TokenResponse(
            access_token=await self._access_token(entitled),
            token_type="DPoP" if entitled.jkt else "Bearer",
            expires_in=self._settings.access_token_lifetime_s,
            scope=entitled.access.scope,
            id_token=self._id_token(entitled),
        )

    async def _access_token(self, entitled: Entitlement) -> str:
        client = entitled.client
        scope, audience = entitled.access
        lifetime_s = self._settings.access_token_lifetime_s
        now = int(self._clock())
        content = claims.access_token(
            entitled.subject,
            issuer=self._issuer,
            audience=audience[0] if len(audience) == 1 else list(audience),
            client_id=client.client_id,
            scope=scope,
            jti=secrets.token_urlsafe(16),
            grant_id=self._tokens.grant_id(entitled.family),
            jkt=entitled.jkt,
            lifetime=Lifetime(now, now + lifetime_s),
        )
        if (client.token_format or self._settings.format) == "opaque":
            return await self._access_tokens.store(content, lifetime_s)
        return self._signer.sign(content, claims.ACCESS_TOKEN_TYPE)

    def _id_token(self, entitled: Entitlement) -> str | None:
        if OPENID not in entitled.scope.split():
            return None
        now = int(self._clock())
        content = claims.id_token(
            entitled.subject,
            issuer=self._issuer,
            client_id=entitled.client.client_id,
            scope=entitled.scope,
            lifetime=Lifetime(now, now + self._settings.id_token_lifetime_s),
        )
        return self._signer.sign(content, claims.ID_TOKEN_TYPE)


def is_bound_by_key(client: Client) -> bool:
    """RFC 9449 5: a confidential client's refresh tokens are bound by its authentication."""
    return client.auth_method == "none"


def wants_refresh_token(client: Client, scope: str) -> bool:
    """Whether a grant of `scope` is to have a refresh token, by the client's policy of today."""
    if client.refresh_token is None:
        return OFFLINE_ACCESS in scope.split()
    return client.refresh_token
