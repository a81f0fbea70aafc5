"""A person in the console: the devices, and how their access ends."""

from dataclasses import dataclass
from urllib.parse import quote

from aiohttp import web

from deviceflow.admin.api.people import device_list
from deviceflow.admin.console.frame import Frame, lead_to
from deviceflow.admin.console.templates import ROOT
from deviceflow.admin.operators import OPERATOR
from deviceflow.admin.people import PeopleDesk
from deviceflow.store.accounts import Account

_WHAT = {"devices", "sessions"}
"""What of a person can be ended whole."""


@dataclass(frozen=True, kw_only=True)
class PeoplePages:
    """The pages of a person, who is named by the username."""

    frame: Frame
    desk: PeopleDesk

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        person = "/people/{username}"
        return [
            web.get(person, self.show),
            web.get(f"{person}/end", self.ask),
            web.post(f"{person}/end", self.end),
        ]

    async def show(self, request: web.Request) -> web.Response:
        """Show a person with a page of devices."""
        account, number = await self._account(request), request.query.get("page", "1")
        if not (number.isascii() and number.isdigit() and int(number[:6]) > 0):
            raise web.HTTPBadRequest
        page = await self.desk.devices_of(account.sub, int(number[:6]))
        sessions = await self.desk.sessions.of(account.sub)
        context = {"person": account, "page": device_list(page), "sessions": len(sessions)}
        return self.frame.show(request, "person.html", context)

    async def ask(self, request: web.Request) -> web.Response:
        """Ask whether a device, all devices or all sessions are really to be ended."""
        account = await self._account(request)
        device_id, what = request.query.get("device", ""), request.query.get("all", "")
        device = await self.desk.devices.get(account.sub, device_id) if device_id else None
        if device is None and what not in _WHAT:
            raise web.HTTPNotFound
        context = {"person": account, "device": device, "what": what}
        return self.frame.show(request, "end.html", context)

    async def end(self, request: web.Request) -> web.Response:
        """End it, and show the person."""
        form, account = await self.frame.read(request), await self._account(request)
        match form:
            case {"device": device_id}:
                await self.desk.disconnect(account.sub, device_id, request[OPERATOR])
            case {"all": "devices"}:
                await self.desk.disconnect_all(account.sub, request[OPERATOR])
            case {"all": "sessions"}:
                await self.desk.end_sessions(account.sub, request[OPERATOR])
            case _:
                raise web.HTTPBadRequest
        return lead_to(f"{ROOT}/people/{quote(account.username, safe='')}")

    async def _account(self, request: web.Request) -> Account:
        account = await self.desk.users.find(request.match_info["username"])
        if account is None:
            raise web.HTTPNotFound
        return account
