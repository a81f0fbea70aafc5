"""The name that a person has typed into a sign-in form that failed.

The form is shown again by a GET, with the name in it. The name is not in the address, because
addresses stand in histories and logs, and people type passwords into the wrong field.

So the cookie may hold a password. That is why it lives for two minutes only, in the browser in
which the text was typed: long enough to see the form, to reload it and to go back to it. No script
reads it, no log has it, and a sign-in removes it. After a longer pause the field is empty.
"""

from dataclasses import dataclass

from aiohttp import web

from deviceflow.core import base64url
from deviceflow.pages.cookie import SessionCookie

TYPED_NAME_S = 120
LONGEST = 255
"""Characters of a name that is kept."""


@dataclass(frozen=True, kw_only=True)
class TypedName:
    """Reads and writes the cookie. It is no secret, and nothing is believed because of it."""

    cookie: SessionCookie

    @property
    def name(self) -> str:
        """The cookie's name."""
        return f"{self.cookie.name}-typed"

    def read(self, request: web.Request) -> str:
        """Return the name, empty if there is none."""
        try:
            return base64url.decode(request.cookies.get(self.name, "")).decode()[:LONGEST]
        except ValueError:
            return ""

    def write(self, response: web.Response, username: str) -> None:
        """Keep `username` for the form that is shown next, and for those that look back at it."""
        response.set_cookie(
            self.name,
            base64url.encode(username[:LONGEST].encode()),
            max_age=TYPED_NAME_S,
            path="/",
            secure=self.cookie.https,
            httponly=True,
            samesite="Lax",
        )

    def remove(self, response: web.Response) -> None:
        """Forget the name: the person is signed in."""
        response.del_cookie(
            self.name, path="/", secure=self.cookie.https, httponly=True, samesite="Lax"
        )
