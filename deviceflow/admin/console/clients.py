"""The clients in the console: a list in pages, each by itself, and its waiting grants cancelled."""

from dataclasses import dataclass
from urllib.parse import quote

from aiohttp import web

from deviceflow.admin.api.clients import client_page, client_response
from deviceflow.admin.clients import ClientDesk
from deviceflow.admin.console.frame import Frame, lead_to
from deviceflow.admin.console.templates import ROOT
from deviceflow.admin.operators import OPERATOR
from deviceflow.core.client import Client
from deviceflow.core.clients import Clients

CLIENTS_ON_A_PAGE = 50


@dataclass(frozen=True, kw_only=True)
class ClientPages:
    """The pages of clients."""

    frame: Frame
    clients: Clients
    desk: ClientDesk

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [
            web.get("/clients", self.list),
            web.get("/clients/{client_id}", self.show),
            web.get("/clients/{client_id}/cancel", self.ask),
            web.post("/clients/{client_id}/cancel", self.cancel),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """Show a page of them."""
        page = client_page(self.clients, CLIENTS_ON_A_PAGE, request.query.get("after", ""))
        return self.frame.show(request, "clients.html", {"page": page})

    async def show(self, request: web.Request) -> web.Response:
        """Show one."""
        return self._page(request, "client.html")

    async def ask(self, request: web.Request) -> web.Response:
        """Ask whether all waiting grants of a client are really to be cancelled."""
        return self._page(request, "cancel_all.html")

    async def cancel(self, request: web.Request) -> web.Response:
        """Cancel them, and show the client."""
        await self.frame.read(request)
        client_id = self._client(request).client_id
        await self.desk.cancel_grants(client_id, request[OPERATOR])
        return lead_to(f"{ROOT}/clients/{quote(client_id, safe='')}")

    def _page(self, request: web.Request, template: str) -> web.Response:
        context = {"client": client_response(self._client(request))}
        return self.frame.show(request, template, context)

    def _client(self, request: web.Request) -> Client:
        client = self.clients.find(request.match_info["client_id"])
        if client is None:
            raise web.HTTPNotFound
        return client
