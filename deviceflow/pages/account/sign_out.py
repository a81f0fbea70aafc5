"""Sign out."""

from dataclasses import dataclass

from aiohttp import web

from deviceflow.pages.cookie import SessionCookie
from deviceflow.pages.redirect import see_other
from deviceflow.pages.visitor import Visitors
from deviceflow.store.sessions import Sessions


@dataclass(frozen=True, kw_only=True)
class SignOutPage:
    """GET and POST `/logout`."""

    visitors: Visitors
    sessions: Sessions
    cookie: SessionCookie

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [web.get("/logout", self.ask), web.post("/logout", self.sign_out)]

    async def ask(self, request: web.Request) -> web.Response:
        """Show the button that signs out, or say that no one is signed in."""
        visitor = await self.visitors.meet(request)
        return self.visitors.show(visitor, "account/sign_out.html", {})

    async def sign_out(self, request: web.Request) -> web.Response:
        """End the session, here and in the store."""
        visitor, _ = await self.visitors.receive(request)
        if visitor.sent_cookie is not None:
            await self.sessions.end(visitor.sent_cookie)
        response = see_other(request, "/logout")
        self.cookie.remove(response)
        return response
