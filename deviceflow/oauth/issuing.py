"""Making the tokens of one answer: access, refresh and ID token."""

import secrets
import time
from collections.abc import Callable
from typing import NamedTuple

from deviceflow.config import Settings
from deviceflow.core import claims
from deviceflow.core.claims import Lifetime, Subject
from deviceflow.core.client import Client
from deviceflow.core.messages import TokenResponse
from deviceflow.signing import Signer
from deviceflow.store.grants import Redemption
from deviceflow.store.tokens import Family, RefreshToken, Tokens

OFFLINE_ACCESS = "offline_access"


class FirstTokens(NamedTuple):
    """The answer to a redemption, and the family to store with it."""

    response: TokenResponse
    redemption: Redemption | None


class Issuer:
    """Signs the tokens that a grant or a refresh token stands for."""

    def __init__(
        self,
        settings: Settings,
        signer: Signer,
        tokens: Tokens,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._issuer = settings.issuer_url
        self._lifetimes = settings.tokens
        self._signer = signer
        self._tokens = tokens
        self._clock = clock

    def first(self, client: Client, subject: Subject, scope: str, family: str) -> FirstTokens:
        """The tokens of a redemption; a refresh token only where one was granted."""
        response = self._response(client, subject, scope)
        if not _wants_refresh_token(client, scope):
            return FirstTokens(response, None)
        token = RefreshToken.new(family)
        response.refresh_token = token.text
        record = Family(
            client_id=client.client_id,
            scope=scope,
            subject=subject,
            expires_at=int(self._clock()) + self._lifetimes.refresh_token_lifetime_s,
        )
        redemption = Redemption(record, token.hash, self._tokens.idle_until_ms(record))
        return FirstTokens(response, redemption)

    def next(
        self, client: Client, family: Family, scope: str, successor: RefreshToken
    ) -> TokenResponse:
        """The tokens of a refresh (RFC 6749 6)."""
        response = self._response(client, family.subject, scope)
        response.refresh_token = successor.text
        return response

    def _response(self, client: Client, subject: Subject, scope: str) -> TokenResponse:
        now = int(self._clock())
        lifetime_s = self._lifetimes.access_token_lifetime_s
        access_token = claims.access_token(
            subject,
            issuer=self._issuer,
            audience=client.audience or self._issuer,
            client_id=client.client_id,
            scope=scope,
            jti=secrets.token_urlsafe(16),
            lifetime=Lifetime(now, now + lifetime_s),
        )
        return TokenResponse(
            access_token=self._signer.sign(access_token, claims.ACCESS_TOKEN_TYPE),
            token_type="Bearer",  # noqa: S106, RFC 6750's name
            expires_in=lifetime_s,
            scope=scope,
            id_token=self._id_token(client, subject, scope, now),
        )

    def _id_token(self, client: Client, subject: Subject, scope: str, now: int) -> str | None:
        if "openid" not in scope.split():
            return None
        id_token = claims.id_token(
            subject,
            issuer=self._issuer,
            client_id=client.client_id,
            scope=scope,
            lifetime=Lifetime(now, now + self._lifetimes.id_token_lifetime_s),
        )
        return self._signer.sign(id_token, claims.ID_TOKEN_TYPE)


def _wants_refresh_token(client: Client, scope: str) -> bool:
    if client.refresh_token is None:
        return OFFLINE_ACCESS in scope.split()
    return client.refresh_token
