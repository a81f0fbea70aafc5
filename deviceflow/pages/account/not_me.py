"""The page behind the link in a notice: a device is disconnected without signing in.

Whoever has the link can end the access of that one device, and nothing else. A program that opens
the links of a mail only sees the page; the button changes something.
"""

from dataclasses import dataclass

import structlog
from aiohttp import web

from deviceflow.audit.events import SecurityEvent
from deviceflow.audit.journal import Audit
from deviceflow.config import Settings
from deviceflow.core.clients import Clients
from deviceflow.core.clock import Clock
from deviceflow.pages.account.facts import device_facts
from deviceflow.pages.redirect import see_other
from deviceflow.pages.seal import Seal
from deviceflow.pages.visitor import Visitor, Visitors
from deviceflow.store.devices import Devices
from deviceflow.store.notice_links import NoticeLinks

NOT_ME_PATH = "/account/not-me"

_POLICY = {"script-src": "'self'"}
_ENDED = "ended"

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class NotMePage:
    """GET and POST `/account/not-me`. May raise `StoreUnavailable`, `PageError`."""

    settings: Settings
    visitors: Visitors
    seal: Seal
    links: NoticeLinks
    devices: Devices
    clients: Clients
    clock: Clock
    audit: Audit

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [web.get(NOT_ME_PATH, self.ask), web.post(NOT_ME_PATH, self.end)]

    async def ask(self, request: web.Request) -> web.Response:
        """Show the device and the button, or say how it ended."""
        visitor, query = await self.visitors.meet(request), request.query
        if self.seal.holds(query.get("seal", ""), visitor.cookie, _ENDED):
            return self._show(visitor, {"device": None, "is_ended": True})
        token = query.get("token", "")
        link = await self.links.find(token)
        device = await self.devices.get(link.sub, link.grant_id) if link else None
        if device is None:
            return self._show(visitor, {"device": None, "is_ended": False})
        facts = device_facts(device, self.clients, self.settings.scopes, int(self.clock()))
        is_outdated = query.get("notice") == "outdated"
        context = {"device": facts, "token": token, "is_outdated": is_outdated}
        return self._show(visitor, context)

    async def end(self, request: web.Request) -> web.Response:
        """Disconnect the device, and end the link."""
        visitor, fields = await self.visitors.read(request)
        token = fields.get("token", "")
        if not self.visitors.is_own(visitor, fields):
            return see_other(request, NOT_ME_PATH, token=token, notice="outdated")
        link = await self.links.find(token)
        if link is None or not await self.devices.disconnect(link.sub, link.grant_id):
            return see_other(request, NOT_ME_PATH)
        await self.links.end(token)
        log.info("device.disconnected", sub=link.sub, by="notice")
        self.audit.record(
            SecurityEvent.DEVICE_DISCONNECTED, sub=link.sub, grant_id=link.grant_id, way="notice"
        )
        return see_other(request, NOT_ME_PATH, seal=self.seal.make(visitor.cookie, _ENDED))

    def _show(self, visitor: Visitor, context: dict[str, object]) -> web.Response:
        return self.visitors.show(visitor, "account/not_me.html", context, policy=_POLICY)
