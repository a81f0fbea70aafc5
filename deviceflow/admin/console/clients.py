"""The clients in the console: a list in pages, and each by itself."""

from dataclasses import dataclass

from aiohttp import web

from deviceflow.admin.api.clients import client_page, client_response
from deviceflow.admin.console.frame import Frame
from deviceflow.core.client import Clients

CLIENTS_ON_A_PAGE = 50


@dataclass(frozen=True, kw_only=True)
class ClientPages:
    """The pages of clients."""

    frame: Frame
    clients: Clients

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [
            web.get("/clients", self.list),
            web.get("/clients/{client_id}", self.show),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """Show a page of them."""
        page = client_page(self.clients, CLIENTS_ON_A_PAGE, request.query.get("after", ""))
        return self.frame.show(request, "clients.html", {"page": page})

    async def show(self, request: web.Request) -> web.Response:
        """Show one."""
        client = self.clients.find(request.match_info["client_id"])
        if client is None:
            raise web.HTTPNotFound
        return self.frame.show(request, "client.html", {"client": client_response(client)})
