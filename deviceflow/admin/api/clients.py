"""Clients: listed and shown, as this host knows them."""

from dataclasses import dataclass
from itertools import islice

from aiohttp import web

from deviceflow.admin.api.messages import (
    CancelledClient,
    ClientList,
    ClientResponse,
    RevokedClient,
)
from deviceflow.admin.api.problems import ApiError
from deviceflow.admin.api.requests import api_response, read_limit
from deviceflow.admin.clients import ClientDesk
from deviceflow.admin.operators import OPERATOR
from deviceflow.core.client import Client
from deviceflow.core.clients import Clients

MOST_ON_A_PAGE = 500
USUAL_ON_A_PAGE = 100


@dataclass(frozen=True, kw_only=True)
class ClientEndpoints:
    """The endpoints below `/clients`."""

    clients: Clients
    desk: ClientDesk

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [
            web.get("/clients", self.list),
            web.get("/clients/{client_id}", self.show),
            web.post("/clients/{client_id}/revoke", self.revoke),
            web.post("/clients/{client_id}/cancel", self.cancel),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """Answer with a page of clients, by client_id."""
        limit = read_limit(request, usual=USUAL_ON_A_PAGE, most=MOST_ON_A_PAGE)
        page = client_page(self.clients, limit, request.query.get("after", ""))
        return api_response(page)

    async def show(self, request: web.Request) -> web.Response:
        """Answer with a client."""
        return api_response(client_response(self._client(request)))

    async def revoke(self, request: web.Request) -> web.Response:
        """End all approvals and tokens of a client (RFC 7009, for all of them)."""
        client_id = self._client(request).client_id
        await self.desk.revoke(client_id, request[OPERATOR])
        return api_response(RevokedClient(client_id=client_id))

    async def cancel(self, request: web.Request) -> web.Response:
        """Cancel all grants of a client that have no tokens yet."""
        client_id = self._client(request).client_id
        await self.desk.cancel_grants(client_id, request[OPERATOR])
        return api_response(CancelledClient(client_id=client_id))

    def _client(self, request: web.Request) -> Client:
        client = self.clients.find(request.match_info["client_id"])
        if client is None:
            raise ApiError("not_found")
        return client


def client_page(clients: Clients, limit: int, after: str) -> ClientList:
    """Return up to `limit` clients whose ids come after `after`."""
    ids = sorted(each.client_id for each in clients)
    wanted = [*islice((each for each in ids if each > after), limit + 1)]
    found = [clients.find(client_id) for client_id in wanted[:limit]]
    return ClientList(
        clients=[client_response(client) for client in found if client],
        total=len(ids),
        after=wanted[limit - 1] if len(wanted) > limit else None,
    )


def client_response(client: Client) -> ClientResponse:
    """Describe a client without its secrets and keys."""
    return ClientResponse(
        client_id=client.client_id,
        name=client.name,
        enabled=client.enabled,
        verified=client.verified,
        auth_method=client.auth_method,
        scopes=client.scopes,
        lifetime_s=client.lifetime_s,
        interval_s=client.interval_s,
        hold_s=client.hold_s,
        audience=client.audience,
        resources=client.resources,
        token_format=client.token_format,
        pkce=client.pkce,
        dpop=client.dpop,
        introspect=client.introspect,
    )
