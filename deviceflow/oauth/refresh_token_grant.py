"""The refresh_token grant type (RFC 6749 section 6), with rotation (RFC 9700 4.14.2)."""

from hmac import compare_digest

import structlog
from aiohttp import web

from deviceflow.core.errors import invalid_grant, invalid_request, invalid_scope
from deviceflow.oauth.answers import answer
from deviceflow.oauth.issuing import Entitlement, Issuer
from deviceflow.oauth.proofs import Proofs
from deviceflow.oauth.token import TokenRequest
from deviceflow.store.access import AccessTokens
from deviceflow.store.tokens import Family, RefreshToken, Rotation, Tokens
from deviceflow.store.users import Users

NOT_VALID = "The refresh token is not valid for this client."

log = structlog.get_logger()


class RefreshTokenGrant:
    """Trades a refresh token for new tokens."""

    def __init__(
        self,
        *,
        tokens: Tokens,
        access_tokens: AccessTokens,
        users: Users,
        issuer: Issuer,
        proofs: Proofs,
    ) -> None:
        self._tokens = tokens
        self._access_tokens = access_tokens
        self._users = users
        self._issuer = issuer
        self._proofs = proofs

    async def handle(self, asked: TokenRequest) -> web.Response:
        """Answer with new tokens, or refuse."""
        text = asked.parameters.get("refresh_token")
        if text is None:
            raise invalid_request("The parameter refresh_token is missing.")
        presented = RefreshToken.parse(text)
        family = await self._tokens.read(presented.name) if presented else None
        if presented is None or family is None or family.client_id != asked.client.client_id:
            raise invalid_grant(NOT_VALID)
        await self._check_still_allowed(presented, family, asked)
        scope = _narrowed(family.scope, asked)
        access = self._issuer.access(asked, scope, family.resources)
        await self._proofs.spend(asked.possession)

        successor = RefreshToken.new(presented.name)
        entitled = Entitlement(
            asked.client, family.subject, scope, access, asked.jkt, presented.name
        )
        response = await self._issuer.next(entitled, successor)
        await self._rotate(presented, successor, family)
        return answer(response)

    async def _check_still_allowed(
        self, presented: RefreshToken, family: Family, asked: TokenRequest
    ) -> None:
        # RFC 9449 5: a public client's refresh token stays bound to the key it was issued to.
        if family.dpop_jkt and not compare_digest(family.dpop_jkt, asked.jkt):
            raise invalid_grant(NOT_VALID)
        if await self._access_tokens.is_revoked(self._tokens.grant_id(presented.name)):
            raise invalid_grant(NOT_VALID)
        if not await self._users.may_sign_in(family.subject):
            raise invalid_grant(NOT_VALID)

    async def _rotate(
        self, presented: RefreshToken, successor: RefreshToken, family: Family
    ) -> None:
        rotation = await self._tokens.rotate(presented, successor, family)
        if rotation is Rotation.REPLAYED:
            grant_id = self._tokens.grant_id(presented.name)
            await self._access_tokens.revoke_grant(grant_id)
            sub = family.subject.sub
            log.warning("refresh_token.replayed", client_id=family.client_id, sub=sub)
        if rotation is not Rotation.ROTATED:
            raise invalid_grant(NOT_VALID)


def _narrowed(granted: str, asked: TokenRequest) -> str:
    """The scope of the new access token: what was asked for, within what was granted."""
    wanted = asked.parameters.get("scope")
    allowed = asked.client.scopes_for(granted)
    if allowed is None:
        raise invalid_grant(NOT_VALID)
    if wanted is None:
        return granted
    scopes = list(dict.fromkeys(wanted.split(" ")))
    if not set(scopes) <= set(granted.split()):
        raise invalid_scope()
    return " ".join(scopes)
