"""The last step: the page that says how the request ended."""

from dataclasses import dataclass

from aiohttp import web

from deviceflow.core.clock import Clock
from deviceflow.core.grant import State
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
    been quicker. A request of another account looks the same as none. May raise `StoreUnavailable`.
    """

    visitors: Visitors
    codes: Codes
    requests: DeviceRequests
    refusals: Refusals
    devices: Devices
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
            return self.show(visitor, _refused(refusal.reason))
        own = await self.requests.own(Submission(visitor=visitor, person=visitor.person, text=text))
        if own is None:
            return self.show(visitor, endings.nothing_known())
        if own.grant.state is not State.PENDING:
            device = await self._device(visitor.person, own)
            return self.show(visitor, _answered(own, query.get("pressed", ""), device))
        if self.clock() >= own.grant.expires_at:
            return self.show(visitor, endings.expired())
        return see_other(request, "/device/confirm", self.requests.show(own))

    async def _device(self, person: Person, own: DeviceRequest) -> str:
        """Return the id of the device that was connected, empty if it is connected no more."""
        grant_id = self.devices.grant_id(own.grant.id)
        device = await self.devices.get(person.account.sub, grant_id)
        return "" if device is None else grant_id

    def show(self, visitor: Visitor, ending: Ending) -> web.Response:
        """Show one ending."""
        context = {"ending": ending}
        return self.visitors.show(visitor, "device/done.html", context, status=ending.status)


def _answered(device_request: DeviceRequest, pressed: str, device: str) -> Ending:
    """Say what the answer is; `pressed`: the button, which may have come second.

    `device`: the id of the device, empty if it is not connected.
    """
    client = device_request.client
    name = client.name if client else gettext("device.done.unnamed_client")
    match device_request.grant.state, pressed:
        case State.DENIED, "approve":
            return endings.denied_before(name)
        case State.DENIED, _:
            return endings.denied(name)
        case State.CANCELLED, _:
            return endings.cancelled()
        case _ if not device:
            return endings.disconnected(name)
        case _, "deny":
            return endings.approved_before(name, device)
        case _:
            return endings.approved(name, device)


def _refused(reason: Reason) -> Ending:
    match reason:
        case Reason.CLAIMED:
            return endings.claimed_by_another()
        case Reason.UNAVAILABLE:
            return endings.client_unavailable()
        case Reason.CANCELLED:
            return endings.cancelled()
        case _:
            return endings.expired()
