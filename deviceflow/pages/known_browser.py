"""Browsers that have signed in before: strangers cannot delay the people who use them.

The signed cookie allows nothing but a try. Its tries are counted by the mark in it, not by the
address or the account that strangers share with it (`policy.rules`). It names nobody: a mark is
a random value and a signature over that value and the username.
"""

import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from hmac import compare_digest

from aiohttp import web

from deviceflow.core import base64url
from deviceflow.pages.cookie import SessionCookie

KEPT_S = 365 * 86_400
MARKS = 6
"""How many accounts a browser is known for: those that signed in last."""

_PERSON = b"df-known-browser"
_MARK = re.compile(r"([A-Za-z0-9_-]{16})([A-Za-z0-9_-]{22})")


@dataclass(frozen=True, kw_only=True)
class KnownBrowsers:
    """Reads and writes the cookie of known browsers. `keys`: as those of `Csrf`."""

    cookie: SessionCookie
    keys: Callable[[], Sequence[bytes]]

    @property
    def name(self) -> str:
        """The cookie's name."""
        return f"{self.cookie.name}-known"

    def mark(self, request: web.Request, username: str) -> str | None:
        """Return the mark of a browser that has signed in as `username`, None for any other."""
        for value, signature in self._marks(request):
            for key in self.keys():
                if compare_digest(_signature(key, value, username), signature):
                    return value
        return None

    def remember(self, request: web.Request, response: web.Response, username: str) -> None:
        """Mark the browser: `username` has signed in. A mark that it has stays as it is.

        So nobody gets a new count by signing in again.
        """
        own = self.mark(request, username)
        others = [value + tag for value, tag in self._marks(request) if value != own]
        value = own or base64url.encode(secrets.token_bytes(12))
        marks = [value + _signature(self.keys()[0], value, username), *others][:MARKS]
        response.set_cookie(
            self.name,
            ".".join(marks),
            max_age=KEPT_S,
            path="/",
            secure=self.cookie.https,
            httponly=True,
            samesite="Lax",
        )

    def _marks(self, request: web.Request) -> list[tuple[str, str]]:
        sent = request.cookies.get(self.name, "").split(".")[:MARKS]
        matches = [_MARK.fullmatch(mark) for mark in sent]
        return [(match[1], match[2]) for match in matches if match]


def _signature(key: bytes, value: str, username: str) -> str:
    text = f"{value} {username}".encode()
    return base64url.encode(blake2b(text, key=key, digest_size=16, person=_PERSON).digest())
