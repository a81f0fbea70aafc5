"""The refresh_token grant type (RFC 6749 section 6), with rotation (RFC 9700 4.14.2)."""

import structlog
from aiohttp import web

from deviceflow.core.errors import invalid_grant, invalid_request, invalid_scope
from deviceflow.oauth.answers import answer
from deviceflow.oauth.client_auth import ClientRequest
from deviceflow.oauth.issuing import Issuer
from deviceflow.store.tokens import RefreshToken, Rotation, Tokens
from deviceflow.store.users import Users

NOT_VALID = "The refresh token is not valid for this client."

log = structlog.get_logger()


class RefreshTokenGrant:
    """Trades a refresh token for new tokens."""

    def __init__(self, tokens: Tokens, users: Users, issuer: Issuer) -> None:
        self._tokens = tokens
        self._users = users
        self._issuer = issuer

    async def __call__(self, asked: ClientRequest) -> web.Response:
        """Answer with new tokens, or refuse."""
        text = asked.parameters.get("refresh_token")
        if text is None:
            raise invalid_request("The parameter refresh_token is missing.")
        presented = RefreshToken.parse(text)
        family = await self._tokens.read(presented.name) if presented else None
        if presented is None or family is None or family.client_id != asked.client.client_id:
            raise invalid_grant(NOT_VALID)
        scope = _narrowed(family.scope, asked)
        if not await self._users.may_sign_in(family.subject):
            raise invalid_grant(NOT_VALID)

        successor = RefreshToken.new(presented.name)
        response = self._issuer.next(asked.client, family, scope, successor)
        rotation = await self._tokens.rotate(presented, successor, family)
        if rotation is Rotation.REPLAYED:
            sub = family.subject.sub
            log.warning("refresh_token.replayed", client_id=family.client_id, sub=sub)
        if rotation is not Rotation.ROTATED:
            raise invalid_grant(NOT_VALID)
        return answer(response)


def _narrowed(granted: str, asked: ClientRequest) -> str:
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
