"""The access tokens that clients and resource servers present.

RFC 7662 4 lists the checks: this server has issued and signed the token, and it is not expired and
not revoked. The client and the person must also still be allowed. Opaque tokens are looked up,
JWTs are verified.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NamedTuple

from deviceflow.core.claims import ACCESS_TOKEN_TYPE
from deviceflow.core.clients import Clients
from deviceflow.core.clock import Clock
from deviceflow.signing.errors import BadToken
from deviceflow.signing.signer import Signer
from deviceflow.store.access_tokens import PREFIX, AccessTokens
from deviceflow.store.accounts import Account
from deviceflow.store.client_revocations import ClientRevocations
from deviceflow.store.redemptions import Redemptions
from deviceflow.store.users import Users


class ActiveToken(NamedTuple):
    """An access token that may be used, and the account of its person."""

    claims: dict[str, Any]
    account: Account


@dataclass(frozen=True, kw_only=True)
class PresentedTokens:
    """A reader of access tokens. Its coroutines may raise StoreUnavailable."""

    issuer: str
    signer: Signer
    access_tokens: AccessTokens
    redemptions: Redemptions
    users: Users
    clients: Clients
    revocations: ClientRevocations
    clock: Clock

    async def read(self, token: str) -> dict[str, Any] | None:
        """Return the claims of an unexpired access token of this server, revoked or not."""
        claims = await self._claims(token)
        if claims is None or claims.get("iss") != self.issuer:
            return None
        return claims if self.clock() < claims["exp"] else None

    async def active(self, token: str, audience: Collection[str] = ()) -> ActiveToken | None:
        """Return the token if it may be used now, at any of `audience` (empty: anywhere).

        A token for another audience is handled like an unknown token, with the same look-ups. The
        redemption that gave the token cannot be repeated any more.
        """
        claims = await self.read(token)
        if claims is None or (audience and not _names(claims["aud"]) & {*audience}):
            return None
        if self.revocations.ends(claims["client_id"], claims["iat"]):
            return None
        if await self.access_tokens.is_revoked(claims["grant_id"]):
            return None
        account = await self.users.find_subject(claims["sub"])
        if not self.serves(claims["client_id"]) or account is None or account.disabled:
            return None
        if not account.marks.allow_token(claims["iat"]):
            return None
        await self.redemptions.note_use(claims["grant_id"], claims["iat"])
        return ActiveToken(claims, account)

    async def active_here(self, token: str) -> ActiveToken | None:
        """Return the token if it may be used now and at this server (RFC 9068 4, `aud`)."""
        return await self.active(token, [self.issuer])

    def serves(self, client_id: str) -> bool:
        """Return whether the client of a token still exists and is enabled."""
        client = self.clients.find(client_id)
        return client is not None and client.enabled

    async def _claims(self, token: str) -> dict[str, Any] | None:
        if token.startswith(PREFIX):
            return await self.access_tokens.claims_of(token)
        try:
            header, claims = self.signer.verify(token)
        except BadToken:
            return None
        # RFC 9068 4: the same key signs ID tokens, which are not access tokens.
        return claims if header.get("typ") == ACCESS_TOKEN_TYPE else None


def _names(audience: str | list[str]) -> set[str]:
    """Return the names in `aud`, which is a text or a list (RFC 7519 4.1.3)."""
    return {audience} if isinstance(audience, str) else {*audience}
