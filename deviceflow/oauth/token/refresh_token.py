"""The refresh_token grant type (RFC 6749 section 6), with rotation (RFC 9700 4.14.2)."""

from dataclasses import dataclass
from hmac import compare_digest

import structlog
from aiohttp import web

from deviceflow.audit.events import SecurityEvent
from deviceflow.audit.journal import Audit
from deviceflow.core.client import Client, scope_tokens
from deviceflow.core.errors import (
    invalid_grant,
    invalid_request,
    invalid_scope,
    unauthorized_client,
)
from deviceflow.core.resources import GrantedScope
from deviceflow.oauth.answers import json_response
from deviceflow.oauth.dpop_proofs import DPoPProofs
from deviceflow.oauth.token.minting import Entitlement, TokenMint
from deviceflow.oauth.token.request import TokenRequest
from deviceflow.store.access_tokens import AccessTokens
from deviceflow.store.client_revocations import ClientRevocations
from deviceflow.store.device_index import DeviceIndex
from deviceflow.store.families import Families, PresentedRefreshToken, RefreshToken
from deviceflow.store.users import Users

NOT_VALID = "The refresh token is not valid for this client."

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class RefreshTokenGrant:
    """The grant type that exchanges a refresh token for new tokens."""

    name = "refresh_token"

    families: Families
    devices: DeviceIndex
    revocations: ClientRevocations
    access_tokens: AccessTokens
    users: Users
    mint: TokenMint
    proofs: DPoPProofs
    audit: Audit

    async def handle(self, request: TokenRequest) -> web.Response:
        """Answer with new tokens. May raise OAuthError, StoreUnavailable."""
        text = request.parameters.get("refresh_token")
        if text is None:
            raise invalid_request("The parameter refresh_token is missing.")
        refresh_token, presented = await self._find(text, request.client)
        await self._check_still_allowed(refresh_token, presented, request)
        family = presented.family
        scope = _narrowed(family.scope, request)
        granted = GrantedScope(family.scope, family.resources.split())
        access = self.mint.access(request, scope, granted)
        await self.proofs.spend(request.possession)

        entitlement = Entitlement(
            request.client, family.subject, scope, access, request.jkt, refresh_token.name
        )
        response = await self.mint.fresh(entitlement)
        bind_to = request.jkt if request.client.refresh_tokens_have_key else ""
        listed_at = await self.devices.relist(refresh_token.name, presented)
        successor = await self.families.rotate(refresh_token, family, bind_to, listed_at)
        if successor is None:
            # Since `_find`, another request has rotated or ended the family.
            raise invalid_grant(NOT_VALID)
        response.refresh_token = successor.text
        return json_response(response)

    async def _find(self, text: str, client: Client) -> tuple[RefreshToken, PresentedRefreshToken]:
        """Find a refresh token of this client that may be used now.

        Check this first: any other error would reveal that the family exists, or mask a replay.
        """
        refresh_token = RefreshToken.parse(text)
        presented = await self.families.find(refresh_token) if refresh_token else None
        if (
            refresh_token is None
            or presented is None
            or presented.family.client_id != client.client_id
        ):
            raise invalid_grant(NOT_VALID)
        if not presented.is_good:
            # RFC 9700 4.14.2: the token was used before, so another party has one of this family.
            sub = presented.family.subject.sub
            log.warning("refresh_token.replayed", client_id=client.client_id, sub=sub)
            grant_id = self.families.grant_id(refresh_token.name)
            self.audit.record(
                SecurityEvent.REFRESH_TOKEN_REPLAYED,
                outcome="failure",
                grant_id=grant_id,
                client_id=client.client_id,
                sub=sub,
            )
            await self.families.revoke(grant_id)
            raise invalid_grant(NOT_VALID)
        return refresh_token, presented

    async def _check_still_allowed(
        self, refresh_token: RefreshToken, presented: PresentedRefreshToken, request: TokenRequest
    ) -> None:
        family = presented.family
        is_bound = presented.dpop_jkt and request.client.refresh_tokens_have_key
        if is_bound and not compare_digest(presented.dpop_jkt, request.jkt):
            sub = family.subject.sub
            log.warning("refresh_token.wrong_key", client_id=family.client_id, sub=sub)
            self.audit.record(
                SecurityEvent.REFRESH_TOKEN_WRONG_KEY,
                outcome="failure",
                grant_id=self.families.grant_id(refresh_token.name),
                client_id=family.client_id,
                sub=sub,
            )
            raise invalid_grant(NOT_VALID)
        if not request.client.gets_refresh_token(family.scope):
            raise unauthorized_client("This client may not use refresh tokens.")
        grant_id = self.families.grant_id(refresh_token.name)
        is_ended = self.revocations.ends(family.client_id, family.issued_at)
        if is_ended or await self.access_tokens.is_revoked(grant_id):
            # All grants of the client were ended; or the store failed in the middle of a
            # revocation: finish it.
            await self.families.revoke(grant_id)
            raise invalid_grant(NOT_VALID)
        if not await self.users.may_sign_in(family.subject):
            raise invalid_grant(NOT_VALID)


def _narrowed(granted: str, request: TokenRequest) -> str:
    """Return the scope of the new access token: the requested part of the granted scope."""
    requested = request.parameters.get("scope")
    allowed = request.client.scopes_for(granted)
    if allowed is None:
        raise invalid_grant(NOT_VALID)
    if requested is None:
        return granted
    scopes = scope_tokens(requested)
    refused = [scope for scope in scopes if scope not in granted.split()]
    if refused or not scopes:
        raise invalid_scope(refused)
    return " ".join(scopes)
