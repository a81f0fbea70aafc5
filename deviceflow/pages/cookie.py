"""The cookie of the session: its id, or a random value for a visitor who has not signed in."""

import secrets
from dataclasses import dataclass

from aiohttp import web

from deviceflow.core.base64url import is_digest, sha256_digest

ISSUER_PART = 8
"""How many characters of the issuer's digest are in the name: 48 bits."""


@dataclass(frozen=True, kw_only=True)
class SessionCookie:
    """Reads and writes the cookie. It ends with the browser; the store ends the session earlier.

    SameSite is Lax, not Strict: people arrive from a QR code, a mail or a chat, and with Strict
    they would seem signed out on their first page. A POST from another site is refused twice
    over (`csrf.py`), and GET changes nothing, so Lax gives nothing away.
    """

    https: bool
    issuer: str

    @property
    def name(self) -> str:
        """The cookie's name.

        `__Host-` binds the cookie to this very host and to TLS, which plain HTTP on loopback
        cannot have. Browsers send a cookie to all ports and paths of a host. So the name has a
        part of its own for each issuer: signing in to one does not end the session of another.
        """
        own = sha256_digest(self.issuer)[:ISSUER_PART]
        return f"__Host-deviceflow-{own}" if self.https else f"deviceflow-{own}"

    def read(self, request: web.Request) -> str | None:
        """Return the value that the browser sent, None if this server cannot have made it."""
        value = request.cookies.get(self.name, "")
        return value if is_digest(value) else None

    def write(self, response: web.Response, value: str) -> None:
        """Make the browser send `value` from now on."""
        response.set_cookie(
            self.name, value, path="/", secure=self.https, httponly=True, samesite="Lax"
        )

    def remove(self, response: web.Response) -> None:
        """Make the browser forget the cookie, and remember that a person has ended a session."""
        response.del_cookie(self.name, path="/", secure=self.https, httponly=True, samesite="Lax")
        response.set_cookie(
            self._mark, "1", path="/", secure=self.https, httponly=True, samesite="Lax"
        )

    def has_ended(self, request: web.Request) -> bool:
        """Return whether a person has ended a session in this browser, and none has begun since.

        A provider must then not sign the same person in again without a question.
        """
        return self._mark in request.cookies

    def forget_end(self, response: web.Response) -> None:
        """Make the browser forget that a session has ended: another one has begun."""
        response.del_cookie(self._mark, path="/", secure=self.https, httponly=True, samesite="Lax")

    @property
    def _mark(self) -> str:
        return f"{self.name}-ended"


def new_value() -> str:
    """Draw a value of 256 bits for a visitor without a session; it has no record anywhere."""
    return secrets.token_urlsafe(32)
