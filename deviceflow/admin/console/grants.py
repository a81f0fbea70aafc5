"""A grant in the console: shown, and cancelled after a question."""

from dataclasses import dataclass

from aiohttp import web

from deviceflow.admin.api.grants import GRANT_ROUTE, grant_id_of, grant_response
from deviceflow.admin.console.frame import Frame, lead_to
from deviceflow.admin.console.templates import ROOT
from deviceflow.admin.grants import DecisionRefusal, GrantDesk, Refused
from deviceflow.admin.operators import OPERATOR
from deviceflow.core.grant import State
from deviceflow.store.grant_records import Grant

_CAN_BE_CANCELLED = {State.PENDING, State.APPROVED}


@dataclass(frozen=True, kw_only=True)
class GrantPages:
    """The pages of a grant."""

    frame: Frame
    desk: GrantDesk

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        cancel = f"{GRANT_ROUTE}/cancel"
        return [
            web.get(GRANT_ROUTE, self.show),
            web.get(cancel, self.ask),
            web.post(cancel, self.cancel),
        ]

    async def show(self, request: web.Request) -> web.Response:
        """Show a grant."""
        return self._page(request, "grant.html", await self._grant(request))

    async def ask(self, request: web.Request) -> web.Response:
        """Ask whether it is really to be cancelled."""
        return self._page(request, "cancel.html", await self._grant(request))

    async def cancel(self, request: web.Request) -> web.Response:
        """Cancel it, and show what it is then."""
        await self.frame.read(request)
        grant_id = grant_id_of(request)
        try:
            await self.desk.cancel(grant_id, request[OPERATOR])
        except Refused as refused:
            if refused.refusal is DecisionRefusal.NOT_FOUND:
                raise web.HTTPNotFound from refused
        return lead_to(f"{ROOT}/grants/{grant_id:016x}")

    async def _grant(self, request: web.Request) -> Grant:
        try:
            return await self.desk.get(grant_id_of(request))
        except Refused as refused:
            raise web.HTTPNotFound from refused

    def _page(self, request: web.Request, template: str, grant: Grant) -> web.Response:
        shown = grant_response(grant, self.desk)
        is_open = shown.state in _CAN_BE_CANCELLED
        return self.frame.show(request, template, {"grant": shown, "can_cancel": is_open})
