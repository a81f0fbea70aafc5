"""POST /oauth2/token (RFC 6749 section 3.2): the phases that every grant type shares.

Read the form, authenticate the client, pick the grant type, let it answer.
"""

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from deviceflow.core.client import Clients
from deviceflow.core.errors import invalid_request, unsupported_grant_type
from deviceflow.oauth.client_auth import ClientRequest, read_client_request

GrantType = Callable[[ClientRequest], Awaitable[web.Response]]


class TokenEndpoint:
    """Dispatches to `grant_types`, by the name that the standard gives them."""

    def __init__(self, clients: Clients, grant_types: Mapping[str, GrantType]) -> None:
        self._clients = clients
        self._grant_types = grant_types

    async def __call__(self, request: web.Request) -> web.Response:
        """Answer with tokens or an error. Raises OAuthError, StoreUnavailable."""
        asked = await read_client_request(request, self._clients)
        name = asked.parameters.get("grant_type")
        if name is None:
            raise invalid_request("The parameter grant_type is missing.")
        grant_type = self._grant_types.get(name)
        if grant_type is None:
            raise unsupported_grant_type()
        return await grant_type(asked)
