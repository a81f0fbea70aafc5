"""The first page: what the fleet does now, and the field to look something up."""

from dataclasses import dataclass
from urllib.parse import quote

from aiohttp import web

from deviceflow.admin.api.fleet import fleet_response
from deviceflow.admin.api.grants import recent_decisions
from deviceflow.admin.api.messages import DecisionResponse
from deviceflow.admin.api.requests import api_response
from deviceflow.admin.console.frame import Frame, lead_to
from deviceflow.admin.console.templates import ROOT
from deviceflow.admin.fleet_watch import FleetWatch
from deviceflow.admin.grants import DecisionRefusal, GrantDesk, Refused
from deviceflow.admin.people import PeopleDesk
from deviceflow.store.errors import StoreUnavailable


@dataclass(frozen=True, kw_only=True)
class Overview:
    """The figures, and the search."""

    frame: Frame
    watch: FleetWatch
    desk: GrantDesk
    people: PeopleDesk

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [
            web.get("", self.show),
            web.get("/fleet", self.figures),
            web.post("/search", self.search),
        ]

    async def show(self, request: web.Request) -> web.Response:
        """Show the figures. The script of the page goes on with them."""
        context = {
            "fleet": fleet_response(await self.watch.now()),
            "is_not_found": "nothing" in request.query,
            "decisions": await self._decisions(),
        }
        return self.frame.show(request, "overview.html", context)

    async def _decisions(self) -> list[DecisionResponse]:
        """Return the newest decisions. While the store is away, the figures go on without them."""
        try:
            return await recent_decisions(self.desk)
        except StoreUnavailable:
            return []

    async def figures(self, _: web.Request) -> web.Response:
        """Answer the page's script with the figures, as the API does."""
        return api_response(fleet_response(await self.watch.now()))

    async def search(self, request: web.Request) -> web.Response:
        """Lead to what a text names: a client, a person, or the grant of a user code."""
        text = (await self.frame.read(request)).get("text", "").strip()
        if self.desk.clients.find(text) is not None:
            return lead_to(f"{ROOT}/clients/{_in_path(text)}")
        account = await self.people.find(text)
        if account is not None:
            return lead_to(f"{ROOT}/people/{_in_path(account.username)}")
        try:
            grant = await self.desk.find(text)
        except Refused as refused:
            if refused.refusal is not DecisionRefusal.NOT_FOUND:
                raise
            return lead_to(f"{ROOT}?nothing")
        return lead_to(f"{ROOT}/grants/{grant.id:016x}")


def _in_path(text: str) -> str:
    return quote(text, safe="")
