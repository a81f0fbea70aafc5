"""POST /oauth2/token (RFC 6749 section 3.2): the phases that every grant type shares.

The endpoint reads the form, authenticates the client, reads its DPoP proof (RFC 9449), and lets a
grant type answer, and counts how that ended. So a grant type cannot forget a shared phase.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

from deviceflow.core.errors import invalid_dpop_proof, invalid_request, unsupported_grant_type
from deviceflow.oauth.clients.authentication import ClientAuthentication
from deviceflow.oauth.dpop_proofs import DPoPProofs
from deviceflow.oauth.token.counts import TokenRequestCounts
from deviceflow.oauth.token.request import TokenRequest


class GrantType(Protocol):
    """A way to get tokens (RFC 6749 1.3)."""

    @property
    def name(self) -> str:
        """The value of `grant_type`."""

    async def handle(self, request: TokenRequest) -> web.Response:
        """Answer with tokens. May raise OAuthError, StoreUnavailable."""


@dataclass(frozen=True, kw_only=True)
class TokenEndpoint:
    """The endpoint that passes a token request to its grant type."""

    authentication: ClientAuthentication
    proofs: DPoPProofs
    grant_types: Iterable[GrantType]
    counts: TokenRequestCounts

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [web.post("/oauth2/token", self.handle)]

    async def handle(self, request: web.Request) -> web.Response:
        """Answer with tokens or an error. May raise OAuthError, StoreUnavailable."""
        client_request = await self.authentication.read(request)
        name = client_request.parameters.get("grant_type")
        if name is None:
            raise invalid_request("The parameter grant_type is missing.")
        grant_type = self._grant_type(name)
        possession = self.proofs.read(request)
        if possession is None and client_request.client.dpop == "required":
            raise invalid_dpop_proof("This client has to send a DPoP proof.")
        token_request = TokenRequest(*client_request, possession)
        with self.counts.counting(token_request) as outcome:
            response = await grant_type.handle(token_request)
            outcome.note(response)
        if possession is not None:
            response.headers["DPoP-Nonce"] = self.proofs.nonce()
        return response

    def _grant_type(self, name: str) -> GrantType:
        for grant_type in self.grant_types:
            if grant_type.name == name:
                return grant_type
        raise unsupported_grant_type()
