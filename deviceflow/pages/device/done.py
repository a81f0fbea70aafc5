"""The last step: the page that says how the request ended."""

from dataclasses import dataclass

from aiohttp import web

from deviceflow.pages.device import endings
from deviceflow.pages.device.endings import Ending
from deviceflow.pages.visitor import Visitor, Visitors
from deviceflow.store.grants import Grants


@dataclass(frozen=True, kw_only=True)
class DonePage:
    """Shows how a request ended. May raise `StoreUnavailable`."""

    visitors: Visitors
    grants: Grants

    def show(self, visitor: Visitor, ending: Ending) -> web.Response:
        """Show one ending."""
        context = {"ending": ending}
        return self.visitors.show(visitor, "device/done.html", context, status=ending.status)

    async def show_answered(self, visitor: Visitor, code: str) -> web.Response:
        """Say how the request was answered, as it is now: another window may have been quicker."""
        grant = await self.grants.find(code)
        ending = endings.already_answered(grant.state) if grant else endings.expired()
        return self.show(visitor, ending)
