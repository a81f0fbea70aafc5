"""The devices that are connected to an account: seen, named, disconnected."""

from collections.abc import Mapping
from dataclasses import dataclass

import structlog
from aiohttp import web

from deviceflow.audit.events import SecurityEvent
from deviceflow.audit.journal import Audit
from deviceflow.config import Settings
from deviceflow.core.clients import Clients
from deviceflow.core.clock import Clock
from deviceflow.core.display_text import is_display_text, normal_form
from deviceflow.pages.account.door import AccountDoor, AccountVisit, Said
from deviceflow.pages.account.facts import DeviceFacts, device_facts
from deviceflow.pages.redirect import see_other
from deviceflow.pages.texts import ngettext
from deviceflow.pages.whereabouts import about_where
from deviceflow.places import Places
from deviceflow.store.devices import ConnectedDevice, Devices
from deviceflow.store.person_access import PersonAccess

DEVICE_NAME_CHARACTERS = 60
"""The longest name that a person may give to a device."""

ALL = "all"
"""The name of all devices together, where one is named."""

_PLACE = "devices"
_POLICY = {"script-src": "'self'"}
_MOST_PAGES = 10_000

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class DevicesPage:
    """`/account` and what it leads to. Each form is POST, 303, GET.

    `/account`: the list. `/account/device`: one device, and its name. `/account/disconnect`: the
    question before a device, or all, are disconnected. Another person's device looks the same as
    none. May raise `StoreUnavailable`.
    """

    settings: Settings
    door: AccountDoor
    devices: Devices
    access: PersonAccess
    clients: Clients
    places: Places
    clock: Clock
    audit: Audit

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [
            web.get("/account", self.list_all),
            web.get("/account/device", self.show_one),
            web.post("/account/device", self.rename),
            web.get("/account/disconnect", self.ask),
            web.post("/account/disconnect", self.disconnect),
        ]

    async def list_all(self, request: web.Request) -> web.Response:
        """Show a page of the devices."""
        visit = await self.door.enter(request, _PLACE)
        if isinstance(visit, web.Response):
            return visit
        page = await self.devices.of(visit.sub, _number(request.query.get("page", "")))
        if not page.devices and page.number > 1:
            # Fewer pages than there were. An empty one would say that no device is connected.
            return see_other(request, "/account")
        devices = [self._facts(device) for device in page.devices]
        return self._show(visit, "account/devices.html", {"devices": devices, "page": page})

    async def show_one(self, request: web.Request) -> web.Response:
        """Show everything about a device, and the form for its name."""
        visit = await self.door.enter(request, _PLACE)
        if isinstance(visit, web.Response):
            return visit
        device = await self.devices.get(visit.sub, request.query.get("device", ""))
        if device is None:
            return self.door.lead(visit.visitor, "/account", Said.GONE)
        facts = await self._facts_with_places(device)
        context = {"device": facts, "name_characters": DEVICE_NAME_CHARACTERS}
        return self._show(visit, "account/device.html", context)

    async def rename(self, request: web.Request) -> web.Response:
        """Give a device the name that the person has typed; an empty one takes it away."""
        visit = await self.door.take(request, _PLACE)
        if isinstance(visit, web.Response):
            return visit
        grant_id = visit.fields.get("device", "")
        name = normal_form(visit.fields.get("name", "").strip())
        if name and (len(name) > DEVICE_NAME_CHARACTERS or not is_display_text(name)):
            said = Said.BAD_NAME
        elif await self.devices.rename(visit.sub, grant_id, name):
            said = Said.RENAMED
        else:
            return self.door.lead(visit.visitor, "/account", Said.GONE)
        return self.door.lead(visit.visitor, "/account/device", said, device=grant_id)

    async def ask(self, request: web.Request) -> web.Response:
        """Ask before a device is disconnected, or all."""
        visit = await self.door.enter(request, _PLACE)
        if isinstance(visit, web.Response):
            return visit
        grant_id = request.query.get("device", "")
        if grant_id == ALL:
            page = await self.devices.of(visit.sub)
            if page.total:
                question = ngettext(
                    "account.disconnect_all.one", "account.disconnect_all.several", page.total
                )
                return self._show(visit, "account/disconnect_all.html", {"question": question})
        elif (device := await self.devices.get(visit.sub, grant_id)) is not None:
            facts = await self._facts_with_places(device)
            return self._show(visit, "account/disconnect.html", {"device": facts})
        return self.door.lead(visit.visitor, "/account", Said.GONE)

    async def disconnect(self, request: web.Request) -> web.Response:
        """Disconnect a device, or all."""
        visit = await self.door.take(request, _PLACE)
        if isinstance(visit, web.Response):
            return visit
        grant_id = visit.fields.get("device", "")
        if grant_id == ALL:
            number = await self.access.disconnect_all(visit.person.account)
            log.info("devices.disconnected", sub=visit.sub, devices=number)
            self._record(visit.sub, "", number)
            return self.door.lead(visit.visitor, "/account", Said.ALL_DISCONNECTED)
        if not await self.devices.disconnect(visit.sub, grant_id):
            return self.door.lead(visit.visitor, "/account", Said.GONE)
        log.info("device.disconnected", sub=visit.sub, by="person")
        self._record(visit.sub, grant_id)
        return self.door.lead(visit.visitor, "/account", Said.DISCONNECTED)

    def _record(self, sub: str, grant_id: str, number: int = 0) -> None:
        self.audit.record(
            SecurityEvent.DEVICE_DISCONNECTED,
            sub=sub,
            grant_id=grant_id,
            number=number,
            way="page",
        )

    def _show(
        self, visit: AccountVisit, template: str, context: Mapping[str, object]
    ) -> web.Response:
        said = self.door.said(visit.visitor)
        context = {"said": said, "place": _PLACE, "all_devices": ALL} | dict(context)
        return self.door.visitors.show(visit.visitor, template, context, policy=_POLICY)

    def _facts(self, device: ConnectedDevice) -> DeviceFacts:
        return device_facts(device, self.clients, self.settings.scopes, int(self.clock()))

    async def _facts_with_places(self, device: ConnectedDevice) -> DeviceFacts:
        facts = self._facts(device)
        return facts._replace(
            near=await about_where(self.places, facts.address),
            approved_near=await about_where(self.places, facts.approved_from),
        )


def _number(text: str) -> int:
    """Read the number of a page; a text that is none stands for the first."""
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(_MOST_PAGES))
    return max(1, int(text)) if is_number else 1
