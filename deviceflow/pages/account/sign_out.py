"""Sign out."""

from dataclasses import dataclass

from aiohttp import web

from deviceflow.pages.codes import Codes
from deviceflow.pages.cookie import SessionCookie
from deviceflow.pages.redirect import see_other
from deviceflow.pages.visitor import Visitors
from deviceflow.store.sessions import Sessions


@dataclass(frozen=True, kw_only=True)
class SignOutPage:
    """GET and POST `/logout`."""

    visitors: Visitors
    codes: Codes
    sessions: Sessions
    cookie: SessionCookie

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [web.get("/logout", self.ask), web.post("/logout", self.sign_out)]

    async def ask(self, request: web.Request) -> web.Response:
        """Show the button that signs out, or say that no one is signed in."""
        visitor = await self.visitors.meet(request)
        code = self.codes.carry(request.query.get("user_code", ""))
        return self.visitors.show(visitor, "account/sign_out.html", {"user_code": code})

    async def sign_out(self, request: web.Request) -> web.Response:
        """End the session, here and in the store. A code on the page stays with the person.

        A person who is signed out already gets the same answer, whatever the form's age. A form
        from before another sign-in is answered with the page again, which says who is signed in.
        """
        visitor, fields = await self.visitors.read(request)
        code = self.codes.carry(fields.get("user_code", ""))
        if visitor.person is None or not self.visitors.is_own(visitor, fields):
            return see_other(request, "/logout", code)
        if visitor.sent_cookie is not None:
            await self.sessions.end(visitor.sent_cookie)
        response = see_other(request, "/logout", code)
        self.cookie.remove(response)
        return response
