"""What to do with a code that somebody has sent (RFC 8628 5.4)."""

from dataclasses import dataclass

from aiohttp import web

from deviceflow.pages.codes import Codes
from deviceflow.pages.visitor import Visitors


@dataclass(frozen=True, kw_only=True)
class SentPage:
    """GET `/device/sent`: explains the trick, to anybody. It looks nothing up and changes nothing.

    A code in the address leads on to the page on which its request can be reported.
    """

    visitors: Visitors
    codes: Codes

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [web.get("/device/sent", self.explain)]

    async def explain(self, request: web.Request) -> web.Response:
        """Show the page."""
        visitor = await self.visitors.meet(request)
        context = {"user_code": self.codes.carry(request.query.get("user_code", ""))}
        return self.visitors.show(visitor, "device/sent.html", context)
