"""The last step: the page that says how the request ended."""

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from deviceflow.config.values import Words
from deviceflow.core.clock import Clock
from deviceflow.core.grant import State
from deviceflow.pages import words
from deviceflow.pages.codes import Codes
from deviceflow.pages.device import endings
from deviceflow.pages.device.endings import Ending
from deviceflow.pages.device.refusals import Reason, Refusals
from deviceflow.pages.device.submission import DeviceRequest, DeviceRequests, Submission
from deviceflow.pages.redirect import see_other
from deviceflow.pages.texts import gettext
from deviceflow.pages.visitor import Person, Visitor, Visitors
from deviceflow.store.devices import Devices


@dataclass(frozen=True, kw_only=True)
class DonePage:
    """GET `/device/done`: what became of a request, for the account that answered it.

    The answer is the store's, as it is now: the page may be reloaded, and another window may have
    been quicker. A request of another account looks the same as none. `scopes`: what each means.
    May raise `StoreUnavailable`.
    """

    visitors: Visitors
    codes: Codes
    requests: DeviceRequests
    refusals: Refusals
    devices: Devices
    scopes: Mapping[str, Words]
    clock: Clock

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [web.get("/device/done", self.tell)]

    async def tell(self, request: web.Request) -> web.Response:
        """Say how it ended. A request that still waits is shown with its buttons."""
        visitor, query = await self.visitors.meet(request), request.query
        text = query.get("user_code") or query.get("typed", "")
        if visitor.person is None:
            return see_other(request, "/login", self.codes.carry(text))
        refusal = self.refusals.read(visitor)
        if refusal is not None:
            return self.show(visitor, _refused(refusal.reason, visitor.address))
        own = await self.requests.own(Submission(visitor=visitor, person=visitor.person, text=text))
        if own is None:
            return self.show(visitor, endings.nothing_known())
        pressed = query.get("pressed", "")
        if own.grant.state is not State.PENDING:
            device = await self._connection(visitor.person, own)
            return self.show(visitor, self._answered(own, pressed, device))
        if self.clock() >= own.grant.expires_at:
            # A report counts, even if it comes too late to deny anything.
            is_report = pressed == "report"
            return self.show(visitor, endings.reported() if is_report else endings.expired())
        return see_other(request, "/device/confirm", self.requests.show(own))

    async def _connection(self, person: Person, own: DeviceRequest) -> str | None:
        """Return the id of the device to disconnect, None if it is connected no more.

        Empty if it cannot be disconnected here: an older version has approved it.
        """
        grant_id = self.devices.grant_id(own.grant.id)
        if await self.devices.was_disconnected(grant_id):
            return None
        device = await self.devices.get(person.account.sub, grant_id)
        return "" if device is None else grant_id

    def show(self, visitor: Visitor, ending: Ending) -> web.Response:
        """Show one ending."""
        context = {"ending": ending}
        return self.visitors.show(visitor, "device/done.html", context, status=ending.status)

    def _answered(self, device_request: DeviceRequest, pressed: str, device: str | None) -> Ending:
        """Say what the answer is; `pressed`: the button, which may have come second.

        `device`: as `_connection` finds it.
        """
        client, state = device_request.client, device_request.grant.state
        name = client.name if client else gettext("device.done.unnamed_client")
        if state is State.DENIED:
            return _denied(name, pressed)
        if state is State.CANCELLED:
            return endings.cancelled()
        if device is None:
            return endings.disconnected(name)
        if pressed in {"deny", "report"}:
            return endings.approved_before(name, device)
        return endings.approved(name, device, self._allowed(device_request))

    def _allowed(self, device_request: DeviceRequest) -> list[str]:
        """Say what was approved, if the client's people have a choice."""
        client, scope = device_request.client, device_request.grant.scope
        if client is None or not client.optional_scopes:
            return []
        return words.scopes_in_words(scope, self.scopes)


def _denied(name: str, pressed: str) -> Ending:
    match pressed:
        case "report":
            return endings.reported()
        case "approve":
            return endings.denied_before(name)
        case _:
            return endings.denied(name)


def _refused(reason: Reason, address: str) -> Ending:
    """Return the page for a reason; `address`: the person's."""
    if reason is Reason.OUTSIDE:
        return endings.outside(address)
    pages = {
        Reason.CLAIMED: endings.claimed_by_another,
        Reason.UNAVAILABLE: endings.client_unavailable,
        Reason.CANCELLED: endings.cancelled,
        Reason.FAR: endings.far_away,
        Reason.TOO_MANY: endings.enough_devices,
    }
    return pages.get(reason, endings.expired)()
