"""POST /oauth2/token (RFC 6749 section 3.2): the phases that every grant type shares.

Read the form, authenticate the client, see which key it holds (RFC 9449), pick the grant type,
let it answer.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from aiohttp import web

from deviceflow.core.client import Client
from deviceflow.core.errors import invalid_dpop_proof, invalid_request, unsupported_grant_type
from deviceflow.oauth.client_auth import ClientAuthentication
from deviceflow.oauth.proofs import Possession, Proofs


class TokenRequest(NamedTuple):
    """A token request whose client is known, and the key that it has proved to hold.

    `resources`: what it names in `resource` (RFC 8707 2.2).
    """

    http: web.Request
    parameters: dict[str, str]
    client: Client
    resources: list[str]
    possession: Possession | None

    @property
    def jkt(self) -> str:
        """The thumbprint of that key, empty for none."""
        return self.possession.jkt if self.possession else ""


GrantType = Callable[[TokenRequest], Awaitable[web.Response]]


class TokenEndpoint:
    """Dispatches to `grant_types`, by the name that the standard gives them."""

    def __init__(
        self,
        authentication: ClientAuthentication,
        proofs: Proofs,
        grant_types: Mapping[str, GrantType],
    ) -> None:
        self._authentication = authentication
        self._proofs = proofs
        self._grant_types = grant_types

    async def handle(self, request: web.Request) -> web.Response:
        """Answer with tokens or an error. Raises OAuthError, StoreUnavailable."""
        asked = await self._authentication.read(request)
        name = asked.parameters.get("grant_type")
        if name is None:
            raise invalid_request("The parameter grant_type is missing.")
        grant_type = self._grant_types.get(name)
        if grant_type is None:
            raise unsupported_grant_type()
        possession = self._proofs.read(request)
        if possession is None and asked.client.dpop == "required":
            raise invalid_dpop_proof("This client has to send a DPoP proof.")
        response = await grant_type(
            TokenRequest(request, asked.parameters, asked.client, asked.resources, possession)
        )
        if possession is not None:
            response.headers["DPoP-Nonce"] = self._proofs.nonce()
        return response
