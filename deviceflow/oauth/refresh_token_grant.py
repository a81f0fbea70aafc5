"""The refresh_token grant type (RFC 6749 section 6), with rotation (RFC 9700 4.14.2)."""

from hmac import compare_digest

import structlog
from aiohttp import web

from deviceflow.core.client import Client
from deviceflow.core.errors import (
    invalid_grant,
    invalid_request,
    invalid_scope,
    unauthorized_client,
)
from deviceflow.core.resources import Granted
from deviceflow.oauth.answers import answer
from deviceflow.oauth.issuing import (
    Entitlement,
    Issuer,
    is_bound_by_key,
    wants_refresh_token,
)
from deviceflow.oauth.proofs import Proofs
from deviceflow.oauth.token import TokenRequest
from deviceflow.store.access import AccessTokens
from deviceflow.store.tokens import Found, RefreshToken, Tokens
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
        presented, found = await self._find(text, asked.client)
        await self._check_still_allowed(presented, found, asked)
        family = found.family
        scope = _narrowed(family.scope, asked)
        granted = Granted(family.scope, family.resources.split())
        access = self._issuer.access(asked, scope, granted)
        await self._proofs.spend(asked.possession)

        entitled = Entitlement(
            asked.client, family.subject, scope, access, asked.jkt, presented.name
        )
        response = await self._issuer.fresh(entitled)
        bind_to = asked.jkt if is_bound_by_key(asked.client) else ""
        successor = await self._tokens.rotate(presented, family, bind_to)
        if successor is None:
            # The family went on, or ended, since `_find`: the device has another answer.
            raise invalid_grant(NOT_VALID)
        response.refresh_token = successor.text
        return answer(response)

    async def _find(self, text: str, client: Client) -> tuple[RefreshToken, Found]:
        """The token, if it is one of this client's and may be used.

        Before anything else that the request asks for: no other answer shall tell a stranger
        that a family lives, nor hide a replay.
        """
        presented = RefreshToken.parse(text)
        found = await self._tokens.find(presented) if presented else None
        if presented is None or found is None or found.family.client_id != client.client_id:
            raise invalid_grant(NOT_VALID)
        if not found.is_good:
            # RFC 9700 4.14.2: somebody else has had a token of this family.
            sub = found.family.subject.sub
            log.warning("refresh_token.replayed", client_id=client.client_id, sub=sub)
            await self._tokens.revoke(self._tokens.grant_id(presented.name))
            raise invalid_grant(NOT_VALID)
        return presented, found

    async def _check_still_allowed(
        self, presented: RefreshToken, found: Found, asked: TokenRequest
    ) -> None:
        family = found.family
        is_bound = found.dpop_jkt and is_bound_by_key(asked.client)
        if is_bound and not compare_digest(found.dpop_jkt, asked.jkt):
            sub = family.subject.sub
            log.warning("refresh_token.wrong_key", client_id=family.client_id, sub=sub)
            raise invalid_grant(NOT_VALID)
        if not wants_refresh_token(asked.client, family.scope):
            raise unauthorized_client("This client may not use refresh tokens.")
        grant_id = self._tokens.grant_id(presented.name)
        if await self._access_tokens.is_revoked(grant_id):
            # The store went away in the middle of a revocation.
            await self._tokens.revoke(grant_id)
            raise invalid_grant(NOT_VALID)
        if not await self._users.may_sign_in(family.subject):
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
