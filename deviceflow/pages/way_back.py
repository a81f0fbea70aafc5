"""The way back to a page of the account, for a person who has to sign in first.

A cookie carries it past every way of signing in. It names one of a few pages, so no one can lead a
person elsewhere with it; and a code that the person came with goes first.
"""

from dataclasses import dataclass

from aiohttp import web

from deviceflow.pages.cookie import SessionCookie
from deviceflow.pages.redirect import see_other

WAY_BACK_S = 600

PLACES = {"devices": "/account", "sessions": "/account/sessions"}
"""The pages to which there is a way back, by their names in the cookie."""


@dataclass(frozen=True, kw_only=True)
class WayBack:
    """Leads to the page for signing in, and from there to where the person was going."""

    cookie: SessionCookie

    @property
    def name(self) -> str:
        """The cookie's name."""
        return f"{self.cookie.name}-then"

    def sign_in(self, request: web.Request, place: str, **query: str) -> web.Response:
        """Continue at the page for signing in; `place`: one of PLACES."""
        response = see_other(request, "/login", **query)
        response.set_cookie(
            self.name,
            place,
            max_age=WAY_BACK_S,
            path="/",
            secure=self.cookie.https,
            httponly=True,
            samesite="Lax",
        )
        return response

    def path(self, request: web.Request) -> str:
        """Return where to go after signing in without a code."""
        return PLACES.get(request.cookies.get(self.name, ""), "/device")

    def forget(self, request: web.Request, response: web.Response) -> None:
        """Make the browser forget it."""
        if self.name in request.cookies:
            secure = self.cookie.https
            response.del_cookie(self.name, path="/", secure=secure, httponly=True, samesite="Lax")
